#!/bin/bash
# Ends the workers on each host of conf/workers, and the master on this machine. With --wait it returns when no worker runs any more.

script=$(readlink -f -- "${BASH_SOURCE[0]}")
. "${script%/*}/spark-config.sh"
"${script%/*}/stop-workers.sh"
failed=$?
"${script%/*}/stop-master.sh" || failed=1
if [ "${1:-}" = --wait ]; then
    class=org.apache.spark.deploy.worker.Worker
    while "${script%/*}/spark-daemons.sh" status "$class" 1 2>/dev/null | grep -q "is running"; do
        echo "Waiting for workers to shut down..."
        sleep 10
    done
fi
exit $failed
