#!/bin/bash
# Gives the cluster's secret to each host of conf/workers that has none: over SSH's standard input, so that it stands in no command
# line, into a file that only its owner can read.

script=$(readlink -f -- "${BASH_SOURCE[0]}")
. "${script%/*}/spark-config.sh"

secret=$SPARK_CONF_DIR/cluster-secret
if [ ! -f "$secret" ]; then
    # One that is configured otherwise is in the administrator's hands.
    exit 0
fi
receive='umask 077; file=$1; directory=${file%/*}; mkdir -p -- "$directory" || exit 1
new=$(cat) || exit 1
if [ -f "$file" ]; then
    [ "$new" = "$(cat -- "$file")" ] && exit 0
    echo "the secret in $file is that of another cluster; remove it if that is none of yours" >&2
    exit 1
fi
printf "%s\n" "$new" >"$file.$$" && mv -f -- "$file.$$" "$file"'
SPARK_SSH_INPUT=$secret exec "${script%/*}/workers.sh" sh -c "$receive" sh "$secret"
