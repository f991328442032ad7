# Read by the scripts beside it, which have set script to their own path: sets SPARK_HOME unless it is set, and reads spark-env.sh once
# per process tree, as Spark does.

home=$(CDPATH='' cd -P -- "${script%/*}/.." && pwd -P)
export SPARK_HOME="${SPARK_HOME:-$home}"
export SPARK_CONF_DIR="${SPARK_CONF_DIR:-$SPARK_HOME/conf}"

if [ -z "${SPARK_ENV_LOADED:-}" ]; then
    export SPARK_ENV_LOADED=1
    if [ -f "$SPARK_CONF_DIR/spark-env.sh" ]; then
        set -a
        . "$SPARK_CONF_DIR/spark-env.sh"
        set +a
    fi
fi
