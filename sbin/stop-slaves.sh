#!/bin/bash
# The older name of stop-workers.sh.

script=$(readlink -f -- "${BASH_SOURCE[0]}")
echo "Warning: stop-slaves.sh is an old name; use stop-workers.sh" >&2
exec "${script%/*}/stop-workers.sh" "$@"
