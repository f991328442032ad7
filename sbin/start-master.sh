#!/bin/bash
# Starts the master on this machine (SA-04). The options are those of the master; see --help.

script=$(readlink -f -- "${BASH_SOURCE[0]}")
class=org.apache.spark.deploy.master.Master
case " $* " in
    *' --help '* | *' -h ')
        echo "Usage: ./sbin/start-master.sh [options]" >&2
        "${script%/*}/../bin/spark-class" "$class" --help 2>&1 | grep -v '^Usage:' >&2
        exit 1
        ;;
esac
. "${script%/*}/spark-config.sh"
exec "${script%/*}/spark-daemon.sh" start "$class" 1 "$@"
