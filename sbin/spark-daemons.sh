#!/bin/bash
# Runs spark-daemon.sh on each host of conf/workers; the arguments are its own.

script=$(readlink -f -- "${BASH_SOURCE[0]}")
if [ $# -le 1 ]; then
    echo "Usage: spark-daemons.sh [--config DIRECTORY] (start|stop|status) CLASS NUMBER [arguments]" >&2
    exit 1
fi
. "${script%/*}/spark-config.sh"
exec "${script%/*}/workers.sh" "$SPARK_HOME/sbin/spark-daemon.sh" "$@"
