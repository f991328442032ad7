#!/bin/bash
# Has the workers on this machine take nothing more and leave (SA-40).

script=$(readlink -f -- "${BASH_SOURCE[0]}")
. "${script%/*}/spark-config.sh"
for ((number = 1; number <= ${SPARK_WORKER_INSTANCES:-1}; number++)); do
    "${script%/*}/spark-daemon.sh" decommission org.apache.spark.deploy.worker.Worker "$number"
done
