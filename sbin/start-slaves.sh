#!/bin/bash
# The older name of start-workers.sh.

script=$(readlink -f -- "${BASH_SOURCE[0]}")
echo "Warning: start-slaves.sh is an old name; use start-workers.sh" >&2
exec "${script%/*}/start-workers.sh" "$@"
