# shellcheck shell=bash

# A port that nobody uses, below the range of ephemeral ones. It is not held: who fails to bind asks again.
free_port() {
	local port hex
	while :; do
		port=$((20000 + SRANDOM % 12000))
		printf -v hex ':%04X ' "$port"
		grep -qs -- "$hex" /proc/net/tcp /proc/net/tcp6 || break
	done
	printf '%s' "$port"
}

accepts() { # accepts PORT: whether somebody listens on loopback
	(exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null
}
