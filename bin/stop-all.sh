#!/bin/bash
# Where some books look for sbin/stop-all.sh.

script=$(readlink -f -- "${BASH_SOURCE[0]}")
exec "${script%/*}/../sbin/stop-all.sh" "$@"
