#!/bin/bash
# The older name of start-worker.sh.

script=$(readlink -f -- "${BASH_SOURCE[0]}")
echo "Warning: start-slave.sh is an old name; use start-worker.sh" >&2
exec "${script%/*}/start-worker.sh" "$@"
