# Read by the scripts beside it, which have set script to their own path: sets FIRESTEEL to the binary, and SPARK_HOME unless
# it is set.
#
# The binary is bin/firesteel of an installation, else the one that cargo built in a development tree. It has
# spark-env.sh read itself, by a shell that it becomes for that, once per process tree: so a script and the binary behave alike.

home=$(CDPATH='' cd -P -- "${script%/*}/.." && pwd -P)

FIRESTEEL=
for binary in "$home/bin/firesteel" "$home/target/release/firesteel" "$home/target/debug/firesteel"; do
    if [ -x "$binary" ]; then
        FIRESTEEL=$binary
        break
    fi
done

if [ -z "$FIRESTEEL" ]; then
    echo "Error: Firesteel is not built; run 'cargo build --release --target-dir target -p firesteel-cli' in $home" >&2
    exit 1
fi

if [ -z "${SPARK_HOME:-}" ]; then
    SPARK_HOME=$home
fi
export SPARK_HOME
