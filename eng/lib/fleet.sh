# shellcheck shell=bash
# shellcheck disable=SC2154
# One private fleet as plain processes: servers, coordinator, one host agent with one guest. For eng/demo and
# eng/soak. Expects $root, and $fleet: an absolute directory of the fleet's own. process.sh and ports.sh are loaded.

fleet_artifacts=${TWIN_ARTIFACTS:-$root/artifacts}
fleet_started=$(now_ms)

say() { # say TEXT...: with the time since the start
	local ms=$(($(now_ms) - fleet_started))
	printf '[%3d.%d s] %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*"
}

fail() {
	printf '%s: %s\n' "${0#"$root/"}" "$*" >&2
	exit 1
}

program() { printf '%s/bin/%s/release/%s.dll' "$fleet_artifacts" "$1" "$2"; } # program PROJECT ASSEMBLY

twinfleet() { TWINFLEET_COORDINATOR=http://127.0.0.1:$(< "$fleet/coordinator.port") "$root/bin/twinfleet" "$@"; }

fleet_psql() { "$root/eng/servers" psql "$fleet/servers" -qAt "$@"; }

# launch NAME COMMAND...: in a session of its own, so that a Ctrl-C reaches it only by our orderly end.
launch() {
	local name=$1
	shift
	mkdir -p "$fleet/logs"
	setsid "$@" >> "$fleet/logs/$name.log" 2>&1 < /dev/null &
	process_record "$fleet/$name.pid" $! || fail "$name ended at once; see $fleet/logs/$name.log"
}

show_log() { # show_log NAME
	echo "--- the end of $fleet/logs/$1.log" >&2
	tail -n 15 "$fleet/logs/$1.log" >&2 || true
}

# fleet_servers: needs no build, so that it may run beside one.
fleet_servers() { "$root/eng/servers" start "$fleet/servers" || fail "the private servers do not start"; }

fleet_coordinator() {
	local TWIN_POSTGRES='' TWIN_BROKER='' attempt port
	# shellcheck disable=SC1091
	. "$fleet/servers/servers.env"
	ConnectionStrings__Fleet=$TWIN_POSTGRES dotnet "$(program Migrations TwinKernel.Fleet.Migrations)" \
		> "$fleet/logs/migrations.log" 2>&1 || {
		show_log migrations
		fail "the migrations could not be applied"
	}
	for attempt in 1 2 3; do
		port=$(free_port)
		printf '%s' "$port" > "$fleet/coordinator.port"
		ConnectionStrings__Fleet=$TWIN_POSTGRES Broker__Uri=$TWIN_BROKER ASPNETCORE_URLS=http://127.0.0.1:$port \
			launch coordinator dotnet "$(program Coordinator TwinKernel.Fleet.Coordinator)"
		# shellcheck disable=SC2317
		coordinator_settled() { accepts "$port" || process_gone "$fleet/coordinator.pid"; }
		wait_until 60 coordinator_settled || break
		process_alive "$fleet/coordinator.pid" && return
		grep -qi 'in use' "$fleet/logs/coordinator.log" || break
	done
	: "$attempt"
	show_log coordinator
	fail "the coordinator does not start"
}

# What the host agent and its verb stop-guests have in common.
host_settings() {
	export Host__Name=$1 Host__StateDirectory=$fleet/host Host__ImageDirectory=$root/state/images
	export Host__Accelerator=${TWIN_ACCELERATOR:-auto}
}

fleet_host_agent() { # fleet_host_agent HOST GUEST IMAGE [HOSTPORT:GUESTPORT]
	(
		# shellcheck disable=SC1091
		. "$fleet/servers/servers.env"
		host_settings "$1"
		export Broker__Uri=$TWIN_BROKER Host__HeartbeatInterval=00:00:01
		export Host__Guests__0__Name=$2 Host__Guests__0__Image=$3
		export Host__Guests__0__Cpus=${Host__Guests__0__Cpus:-2} Host__Guests__0__MemoryMiB=2048
		[[ ! -v Host__Guests__0__StandbyPort ]] || export Host__Guests__0__StandbyPort
		[[ -z ${4:-} ]] || export Host__Guests__0__Forwards__0=$4
		launch host-agent dotnet "$(program HostAgent TwinKernel.Fleet.HostAgent)"
	)
}

# Ends the host agent, then its guests: they would outlive it.
fleet_host_agent_end() {
	process_end "$fleet/host-agent.pid" 20
	[[ -d $fleet/host && -e $(program HostAgent TwinKernel.Fleet.HostAgent) ]] || return 0
	keep_consoles
	(host_settings demo && exec dotnet "$(program HostAgent TwinKernel.Fleet.HostAgent)" stop-guests --forget) \
		>> "$fleet/logs/stop-guests.log" 2>&1 || {
		show_log stop-guests
		return 1
	}
}

# The guests' consoles are all that tells what a kernel died of; one that died is in the log of the start before.
keep_consoles() {
	mkdir -p "$fleet/logs"
	local log
	while read -r log; do
		cp "$log" "$fleet/logs/guest-${log##*/}"
	done < <(find "$fleet/host/machines" -name '*.log' -o -name '*.log.previous' 2> /dev/null)
}

# Ends all that this fleet's directory knows of, in whatever state an earlier run left it; logs stay.
fleet_end() {
	local code=0
	[[ -d $fleet ]] || return 0
	fleet_host_agent_end || code=1
	process_end "$fleet/coordinator.pid" 20 || code=1
	"$root/eng/servers" remove "$fleet/servers" || code=1
	rm -rf "$fleet/host" "$fleet/coordinator.port"
	return "$code"
}

guest_json() { # guest_json GUEST: the guest as the coordinator knows it
	twinfleet guests list --json --timeout 10 2> /dev/null |
		jq -ce --arg name "$1" '.guests[] | select(.name == $name)'
}

guest_runs() { # guest_runs GUEST
	process_alive "$fleet/host-agent.pid" || return 0
	guest_json "$1" | jq -e '.state == "running" and .bootId != ""' > /dev/null
}

await_guest() { # await_guest GUEST SECONDS
	if ! wait_until "$2" guest_runs "$1" || ! process_alive "$fleet/host-agent.pid"; then
		show_log host-agent
		keep_consoles
		fail "guest $1 does not run after $2 s; consoles: $fleet/logs/guest-*"
	fi
}

# answering_boot_id ADDRESS: asks the guest's own service, as its users do. The answer is the question and then
# the boot id of the kernel that answered.
answering_boot_id() {
	local host=${1%:*} port=${1##*:} answer
	answer=$({
		exec 3<> "/dev/udp/$host/$port" && printf 'twinkernel-check' >&3 && timeout 3 head -c 52 <&3
	} 2> /dev/null) || true
	[[ $answer == twinkernel-check* ]] && printf '%s' "${answer#twinkernel-check}"
}

answers_as() { # answers_as ADDRESS BOOT-ID
	[[ $(answering_boot_id "$1") == "$2" ]]
}
