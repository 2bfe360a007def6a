# shellcheck shell=bash
# shellcheck disable=SC2154
# Runs of twinfleet probe beside what a script does. For eng/demo and eng/bench-handover; fleet.sh is loaded.

probes=()

# probe NAME SERVICE OPTION...: from now until after the next upgrade of $guest. Output: logs/NAME.out; what it says while it runs: logs/NAME.log
probe() {
	local name=$1
	shift
	twinfleet probe "$@" --upgrade "$guest" > "$fleet/logs/$name.out" 2> "$fleet/logs/$name.log" &
	probes+=($!)
}

redis_answers() { # redis_answers PORT
	local reply
	reply=$({ exec 3<> "/dev/tcp/127.0.0.1/$1" && printf 'PING\r\n' >&3 && timeout 2 head -c 5 <&3; } 2> /dev/null) || true
	[[ $reply == +PONG ]]
}

# Of a guest's image, by its application's role.
postgresql_answers() { # postgresql_answers PORT
	PGCONNECT_TIMEOUT=2 psql -h 127.0.0.1 -p "$1" -U app -d app -qAtc 'select 1' > /dev/null 2>&1
}

# probes_await: until all have ended; 1 when one found something wrong
probes_await() {
	local pid code=0
	for pid in "${probes[@]}"; do
		wait "$pid" || code=1
	done
	probes=()
	return "$code"
}

# probes_end: when a script ends before them
probes_end() {
	local pid
	for pid in "${probes[@]}"; do
		kill "$pid" 2> /dev/null || true
	done
	probes_await || true
}
