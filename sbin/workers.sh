#!/bin/bash
# Runs a command on each host of conf/workers by SSH, on all of them at once (SA-06, SA-07).
#
#   workers.sh [--config DIRECTORY] COMMAND [arguments]
#
# SPARK_WORKERS         the file with the hosts; SPARK_SLAVES is its older name
# SPARK_SSH_OPTS        options of ssh (-o StrictHostKeyChecking=no)
# SPARK_SSH_FOREGROUND  if it is set, one host after the other: for passwords
# SPARK_WORKER_SLEEP    seconds between two hosts
# SPARK_SSH_INPUT       a file that each command reads on its standard input

script=$(readlink -f -- "${BASH_SOURCE[0]}")
if [ "${1:-}" = --config ]; then
    export SPARK_CONF_DIR=$2
    shift 2
fi
if [ $# -eq 0 ]; then
    echo "Usage: workers.sh [--config DIRECTORY] COMMAND [arguments]" >&2
    exit 1
fi
. "${script%/*}/spark-config.sh"

if [ -n "${SPARK_WORKERS:-}" ]; then
    file=$SPARK_WORKERS
elif [ -n "${SPARK_SLAVES:-}" ]; then
    echo "Warning: SPARK_SLAVES is an old name; set SPARK_WORKERS" >&2
    file=$SPARK_SLAVES
elif [ -f "$SPARK_CONF_DIR/workers" ]; then
    file=$SPARK_CONF_DIR/workers
elif [ -f "$SPARK_CONF_DIR/slaves" ]; then
    echo "Warning: $SPARK_CONF_DIR/slaves is an old name; call it workers" >&2
    file=$SPARK_CONF_DIR/slaves
else
    file=
fi
if [ -n "$file" ] && [ ! -r "$file" ]; then
    echo "Error: the list of workers, $file, cannot be read" >&2
    exit 1
fi
hosts=$(if [ -n "$file" ]; then sed -e 's/#.*$//' -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//' -e '/^$/d' -- "$file"; else echo localhost; fi)

# One shell of the other host reads all of it.
command=
for word in "$@"; do
    command+="$(printf '%q' "$word") "
done
# shellcheck disable=SC2206 # several options
options=(${SPARK_SSH_OPTS:--o StrictHostKeyChecking=no})

failed=$(mktemp) || exit 1
trap 'rm -f -- "$failed"' EXIT
run() {
    local host=$1 code
    if [ -n "${SPARK_SSH_FOREGROUND:-}" ] && [ -z "${SPARK_SSH_INPUT:-}" ]; then
        ssh "${options[@]}" "$host" "$command" 2>&1 | sed "s/^/$host: /"
    else
        ssh "${options[@]}" "$host" "$command" 2>&1 <"${SPARK_SSH_INPUT:-/dev/null}" | sed "s/^/$host: /"
    fi
    code=${PIPESTATUS[0]}
    if [ "$code" -ne 0 ]; then
        echo "$host: exit code $code" | tee -a -- "$failed" >&2
    fi
}
while IFS= read -r host <&3; do
    if [ -n "${SPARK_SSH_FOREGROUND:-}" ]; then
        run "$host"
    else
        run "$host" &
    fi
    if [ -n "${SPARK_WORKER_SLEEP:-}" ]; then
        sleep "$SPARK_WORKER_SLEEP"
    fi
done 3<<<"$hosts"
wait
[ ! -s "$failed" ]
