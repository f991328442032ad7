#!/bin/bash
# Runs a daemon in the background, ends it, or tells how it is (SA-08).
#
#   spark-daemon.sh [--config DIRECTORY] start|submit CLASS NUMBER [arguments]
#   spark-daemon.sh [--config DIRECTORY] stop|decommission|status CLASS NUMBER
#
# SPARK_LOG_DIR        where its output goes, in spark-USER-CLASS-NUMBER-HOST.out (SPARK_HOME/logs)
# SPARK_LOG_MAX_FILES  how many such files of earlier runs are kept (5)
# SPARK_PID_DIR        where its process id is, in spark-USER-CLASS-NUMBER.pid (/tmp)
# SPARK_IDENT_STRING   what stands for USER
# SPARK_NICENESS       how nice it is (0)
# SPARK_NO_DAEMONIZE   if it is set, the daemon stays in the foreground

script=$(readlink -f -- "${BASH_SOURCE[0]}")
. "${script%/*}/spark-config.sh"

usage() {
    echo "Usage: spark-daemon.sh [--config DIRECTORY] (start|stop|submit|decommission|status) CLASS NUMBER [arguments]" >&2
    exit 1
}

if [ "${1:-}" = --config ]; then
    [ -d "${2:-}" ] || { echo "Error: ${2:-} is not a directory" >&2; usage; }
    export SPARK_CONF_DIR=$2
    shift 2
fi
[ $# -ge 3 ] || usage
action=$1 class=$2 number=$3
shift 3
case $number in *[!0-9]* | '') usage ;; esac

user=${SPARK_IDENT_STRING:-${USER:-$(id -un)}}
export SPARK_IDENT_STRING=$user
logs=${SPARK_LOG_DIR:-$SPARK_HOME/logs}
pids=${SPARK_PID_DIR:-/tmp}
log=$logs/spark-$user-$class-$number-$(uname -n).out
pid_file=$pids/spark-$user-$class-$number.pid

# The id of the daemon's process, if it is there. A number alone may be another process's by now: this one carries the class and the
# number in its environment.
running() {
    local pid
    pid=$(cat -- "$pid_file" 2>/dev/null) || return 1
    case $pid in *[!0-9]* | '') return 1 ;; esac
    kill -0 "$pid" 2>/dev/null || return 1
    if [ -r "/proc/$pid/environ" ]; then
        tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qxF "SPARK_DAEMON=$class-$number" || return 1
    fi
    echo "$pid"
}

rotate() {
    local kept=${SPARK_LOG_MAX_FILES:-5}
    case $kept in
        *[!0-9]* | '' | 0) echo "Error: SPARK_LOG_MAX_FILES is '$kept'; a number from 1 on is needed" >&2; exit 1 ;;
    esac
    [ -f "$log" ] || return 0
    local older
    for ((older = kept; older > 1; older--)); do
        [ -f "$log.$((older - 1))" ] && mv -f -- "$log.$((older - 1))" "$log.$older"
    done
    mv -f -- "$log" "$log.1"
}

start() {
    local pid
    if pid=$(running); then
        echo "$class running as process $pid.  Stop it first." >&2
        exit 1
    fi
    mkdir -p -- "$logs" "$pids" || exit 1
    if [ ! -w "$logs" ]; then
        echo "Error: $logs cannot be written to; set SPARK_LOG_DIR" >&2
        exit 1
    fi
    if [ -n "${SPARK_MASTER:-}" ]; then
        echo "rsync from $SPARK_MASTER"
        rsync -a -e ssh --delete --exclude=.svn --exclude='logs/*' --exclude='contrib/hod/logs/*' \
            -- "$SPARK_MASTER/" "$SPARK_HOME" || exit 1
    fi
    export SPARK_DAEMON=$class-$number
    local nice=${SPARK_NICENESS:-0}
    if [ -n "${SPARK_NO_DAEMONIZE:-}" ]; then
        exec nice -n "$nice" "$@"
    fi
    rotate
    echo "starting $class, logging to $log"
    # A new session: the terminal's end is not the daemon's.
    (umask 027; exec nice -n "$nice" setsid "$@" >"$log" 2>&1 </dev/null) &
    echo $! >"$pid_file"
    # A daemon that cannot start ends at once, and says why in its log.
    local tries
    for tries in 1 2 3 4 5 6 7 8 9 10; do
        pid=$(running) || { kill -0 "$(cat -- "$pid_file")" 2>/dev/null || break; }
        sleep 0.1
    done
    if ! running >/dev/null; then
        echo "failed to launch: $*" >&2
        tail -n 10 -- "$log" | sed 's/^/  /' >&2
        echo "full log in $log" >&2
        exit 1
    fi
}

# Tells the process, and waits until it is gone.
stop() {
    local pid what=$1 signal=$2
    if ! pid=$(running); then
        echo "no $class to $what"
        return 0
    fi
    echo "${what}ping $class" | sed 's/decommissionping/decommissioning/'
    kill "-$signal" "$pid" || exit 1
    [ "$what" = stop ] || return 0
    local tries
    for ((tries = 0; tries < ${SPARK_STOP_TIMEOUT:-30} * 10; tries++)); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    if kill -0 "$pid" 2>/dev/null; then
        echo "$class (process $pid) has not ended within ${SPARK_STOP_TIMEOUT:-30} s, and is killed" >&2
        kill -KILL "$pid"
    fi
    rm -f -- "$pid_file"
}

case $action in
    start) start "$SPARK_HOME/bin/spark-class" "$class" "$@" ;;
    submit) start "$SPARK_HOME/bin/spark-submit" --class "$class" "$@" ;;
    stop) stop stop TERM ;;
    decommission) stop decommission PWR ;;
    status)
        if pid=$(running); then
            echo "$class is running."
        elif [ -f "$pid_file" ]; then
            echo "$pid_file is there, but $class is not running"
            exit 1
        else
            echo "$class is not running"
            exit 2
        fi
        ;;
    *) usage ;;
esac
