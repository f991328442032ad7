#!/bin/bash
# The older name of stop-worker.sh.

script=$(readlink -f -- "${BASH_SOURCE[0]}")
echo "Warning: stop-slave.sh is an old name; use stop-worker.sh" >&2
exec "${script%/*}/stop-worker.sh" "$@"
