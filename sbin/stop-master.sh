#!/bin/bash
# Ends the master on this machine.

script=$(readlink -f -- "${BASH_SOURCE[0]}")
. "${script%/*}/spark-config.sh"
exec "${script%/*}/spark-daemon.sh" stop org.apache.spark.deploy.master.Master 1
