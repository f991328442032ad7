#!/bin/bash
# Starts workers on this machine, for the master that is named: as many as SPARK_WORKER_INSTANCES says, whose ports count up (SA-09).
# The options are those of the worker; see --help.

script=$(readlink -f -- "${BASH_SOURCE[0]}")
class=org.apache.spark.deploy.worker.Worker
case " $* " in
    '  ' | *' --help '* | *' -h ')
        echo "Usage: ./sbin/start-worker.sh <master> [options]" >&2
        "${script%/*}/../bin/spark-class" "$class" --help 2>&1 | grep -v '^Usage:' >&2
        exit 1
        ;;
esac
. "${script%/*}/spark-config.sh"

worker() {
    local number=$1
    shift
    local ports=()
    if [ -n "${SPARK_WORKER_PORT:-}" ]; then
        ports=(--port "$((SPARK_WORKER_PORT + number - 1))")
    fi
    local web_ui=${SPARK_WORKER_WEBUI_PORT:-8081}
    # 0 is any port, for each of them.
    [ "$web_ui" = 0 ] || web_ui=$((web_ui + number - 1))
    ports+=(--webui-port "$web_ui")
    "${script%/*}/spark-daemon.sh" start "$class" "$number" "${ports[@]}" "$@"
}

failed=0
for ((number = 1; number <= ${SPARK_WORKER_INSTANCES:-1}; number++)); do
    worker "$number" "$@" || failed=1
done
exit $failed
