#!/bin/bash
# Starts the master on this machine, and workers on each host of conf/workers (SA-04).

script=$(readlink -f -- "${BASH_SOURCE[0]}")
. "${script%/*}/spark-config.sh"
"${script%/*}/start-master.sh" || exit 1
exec "${script%/*}/start-workers.sh"
