// SPDX-License-Identifier: GPL-2.0
/*
 * What the link costs, beside loopback and the card, in one run: round trips of small datagrams and iperf3's streams in
 * both directions. eng/bench-link plays it; outside, at the card's gateway, an echo and an iperf3 server wait at the
 * ports of twintest.echo= and twintest.iperf=.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "link_peer.h"

#define ROUND_TRIPS	1000
#define IPERF_PORT	5201
#define SECONDS		"5"

static bool round_trips(const char *address, int port, uint64_t *median, uint64_t *tail)
{
	struct sockaddr_in peer = ip_address(address, port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), good = 0;
	uint64_t took[ROUND_TRIPS], word;

	connect(fd, (struct sockaddr *)&peer, sizeof(peer));
	for (uint64_t i = 0; i < ROUND_TRIPS; i++) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		uint64_t start = now_us();

		send(fd, &i, sizeof(i), 0);
		good += poll(&ready, 1, 1000) == 1 && recv(fd, &word, sizeof(word), 0) == sizeof(word) && word == i;
		took[i] = now_us() - start;
	}
	close(fd);
	qsort(took, ROUND_TRIPS, sizeof(took[0]), by_value);
	*median = took[ROUND_TRIPS / 2];
	*tail = took[ROUND_TRIPS * 99 / 100];
	return good == ROUND_TRIPS;
}

/* Mbit/s that arrived at the receiver; 0: iperf3 failed. */
static double stream(const char *address, int port, const char *direction)
{
	char command[128], line[256];
	double rate = 0;
	FILE *output;

	snprintf(command, sizeof(command), "iperf3 -c %s -p %d -t " SECONDS " -f m %s 2>&1", address, port, direction);
	output = popen(command, "r");
	while (output && fgets(line, sizeof(line), output)) {
		char *unit = strstr(line, " Mbits/sec");

		if (unit && strstr(line, "receiver")) {
			while (unit > line && unit[-1] != ' ')
				unit--;
			rate = strtod(unit, NULL);
		}
	}
	if (output)
		pclose(output);
	return rate;
}

static void measure(const char *name, const char *address, int echo, int iperf)
{
	uint64_t median, tail;
	bool whole = round_trips(address, echo, &median, &tail);
	double out = stream(address, iperf, ""), in = stream(address, iperf, "-R");

	check(whole && out > 0 && in > 0, "%s is measured", name);
	say("BENCH %s %llu %llu %.0f %.0f", name, (unsigned long long)median, (unsigned long long)tail, out, in);
}

static void compares(const char *name)
{
	struct claimed claimed;
	uint32_t instance = launch_linked(&claimed, name);
	pid_t server;

	system("ifconfig lo 127.0.0.1 up; iperf3 -s -D -B 127.0.0.1");
	server = start_server("127.0.0.1");
	measure("loopback", "127.0.0.1", ECHO_PORT, IPERF_PORT);
	measure("twin0", NEW_ADDRESS, ECHO_PORT, IPERF_PORT);
	measure("virtio-net", "10.0.2.2", parameter("twintest.echo=", ECHO_PORT), parameter("twintest.iperf=", IPERF_PORT));
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	stop(instance);
}

static void is_measured(const char *name)
{
	(void)name;
	must(interface_up("twin0", NEW_ADDRESS), "twin0 is there");
	system("iperf3 -s -D");
	get_ready();
	obey(0);
	check(false, "this kernel was to be stopped");
}
SCENARIO(linkbench, compares, is_measured);
