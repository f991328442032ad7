#!/bin/bash
# The older name of workers.sh.

script=$(readlink -f -- "${BASH_SOURCE[0]}")
echo "Warning: slaves.sh is an old name; use workers.sh" >&2
exec "${script%/*}/workers.sh" "$@"
