#!/bin/bash
# Ends the workers on each host of conf/workers.

script=$(readlink -f -- "${BASH_SOURCE[0]}")
. "${script%/*}/spark-config.sh"
exec "${script%/*}/workers.sh" "$SPARK_HOME/sbin/stop-worker.sh"
