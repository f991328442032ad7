#!/bin/bash
# Starts workers on each host of conf/workers, for the master on this machine (SA-04). The options are those of the worker.
#
# The secret of the cluster, which the master has made, goes to each host first: over SSH, into a file that only its owner reads.

script=$(readlink -f -- "${BASH_SOURCE[0]}")
. "${script%/*}/spark-config.sh"

port=${SPARK_MASTER_PORT:-7077}
host=${SPARK_MASTER_HOST:-${SPARK_MASTER_IP:-$(hostname -f 2>/dev/null || uname -n)}}

"${script%/*}/distribute-secret.sh" || exit 1
exec "${script%/*}/workers.sh" "$SPARK_HOME/sbin/start-worker.sh" "spark://$host:$port" "$@"
