#!/bin/bash
# Ends the workers on this machine.

script=$(readlink -f -- "${BASH_SOURCE[0]}")
. "${script%/*}/spark-config.sh"
for ((number = 1; number <= ${SPARK_WORKER_INSTANCES:-1}; number++)); do
    "${script%/*}/spark-daemon.sh" stop org.apache.spark.deploy.worker.Worker "$number"
done
