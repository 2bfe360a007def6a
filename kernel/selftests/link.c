// SPDX-License-Identifier: GPL-2.0
/*
 * The link: frames, streams and messages between two kernels, a carrier that follows the other end, an upgrade that ends
 * it (link), and either side writing noise over all of it while traffic runs (linkfuzz).
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../include/abi/link.h"
#include "link_peer.h"
#include "twintest.h"

#define OLD_ADDRESS	"10.77.0.1"
#define OUTSIDE_ADDRESS	"10.0.2.16"
#define STREAM_PORT	19
#define STREAM_BYTES	(32u << 20)

struct sockaddr_in ip_address(const char *address, int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(address) };
}

static long number_in(const char *path)
{
	char text[64];

	return read_file(path, text, sizeof(text)) ? strtol(text, NULL, 0) : -1;
}

static long long counter(int link, const char *name)
{
	char path[96], text[64];

	snprintf(path, sizeof(path), "/sys/kernel/twinkernel/links/%d/%s", link, name);
	return read_file(path, text, sizeof(text)) ? strtoll(text, NULL, 0) : -1;
}

static bool carrier_becomes(const char *interface, int wanted)
{
	uint64_t start = now_us();
	char path[96];

	snprintf(path, sizeof(path), "/sys/class/net/%s/carrier", interface);
	while (number_in(path) != wanted && now_us() - start < DEADLINE_US)
		sleep_ms(2);
	return number_in(path) == wanted;
}

static void next_block(uint64_t *block, size_t words, uint64_t *noise)
{
	for (size_t i = 0; i < words; i++) {
		*noise ^= *noise << 13;
		*noise ^= *noise >> 7;
		*noise ^= *noise << 17;
		block[i] = *noise;
	}
}

/* A stream that both ends can make: what arrives is compared with what was meant. */
static bool send_stream(int fd, uint64_t noise)
{
	static uint64_t block[8192];

	for (size_t left = STREAM_BYTES; left; left -= sizeof(block)) {
		next_block(block, 8192, &noise);
		for (size_t done = 0; done < sizeof(block);) {
			ssize_t sent = send(fd, (char *)block + done, sizeof(block) - done, MSG_NOSIGNAL);

			if (sent <= 0)
				return false;
			done += sent;
		}
	}
	return true;
}

static bool receive_stream(int fd, uint64_t noise)
{
	static uint64_t expected[8192], block[8192];

	for (size_t left = STREAM_BYTES; left; left -= sizeof(block)) {
		next_block(expected, 8192, &noise);
		if (recv(fd, block, sizeof(block), MSG_WAITALL) != sizeof(block) || memcmp(block, expected, sizeof(block)))
			return false;
	}
	return true;
}

/* Answers datagrams, and streams: first takes one, then sends one. Never returns. */
static void serve(const char *address)
{
	struct sockaddr_in echo = ip_address(address, ECHO_PORT), stream = ip_address(address, STREAM_PORT), from;
	int datagrams = socket(AF_INET, SOCK_DGRAM, 0), listener = socket(AF_INET, SOCK_STREAM, 0);
	static char data[65536];

	bind(datagrams, (struct sockaddr *)&echo, sizeof(echo));
	bind(listener, (struct sockaddr *)&stream, sizeof(stream));
	listen(listener, 8);
	for (;;) {
		struct pollfd ready[] = { { .fd = datagrams, .events = POLLIN }, { .fd = listener, .events = POLLIN } };
		socklen_t room = sizeof(from);

		poll(ready, 2, -1);
		if (ready[0].revents) {
			ssize_t bytes = recvfrom(datagrams, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&from, &room);

			if (bytes >= 0)
				sendto(datagrams, data, bytes, MSG_DONTWAIT, (struct sockaddr *)&from, room);
		}
		if (ready[1].revents) {
			int fd = accept(listener, NULL, NULL);

			if (receive_stream(fd, 1))
				send_stream(fd, 2);
			close(fd);
		}
	}
}

pid_t start_server(const char *address)
{
	pid_t child = fork();

	if (!child)
		serve(address);
	return child;
}

int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void echoes(void)
{
	static char sent[60000], got[60000];
	struct sockaddr_in peer = ip_address(NEW_ADDRESS, ECHO_PORT);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), good = 0;
	uint64_t took[200], noise = 3;

	connect(fd, (struct sockaddr *)&peer, sizeof(peer));
	for (int i = 0; i < 200; i++) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		size_t bytes = i % 20 ? (size_t)(8 + i * 7) : sizeof(sent);
		uint64_t start = now_us();

		next_block((uint64_t *)sent, bytes / 8, &noise);
		send(fd, sent, bytes, 0);
		good += poll(&ready, 1, 5000) == 1 && recv(fd, got, sizeof(got), 0) == (ssize_t)bytes && !memcmp(sent, got, bytes);
		took[i] = now_us() - start;
	}
	close(fd);
	qsort(took, 200, sizeof(took[0]), by_value);
	check(good == 200, "%d of 200 datagrams came back as they were, median %llu us, worst %llu us", good,
	      (unsigned long long)took[100], (unsigned long long)took[199]);
}

static void streams(void)
{
	struct sockaddr_in peer = ip_address(NEW_ADDRESS, STREAM_PORT);
	struct timeval patience = { .tv_sec = 30 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t start = now_us(), sent, received;
	bool good;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	good = !connect(fd, (struct sockaddr *)&peer, sizeof(peer)) && send_stream(fd, 1);
	sent = now_us();
	good = good && receive_stream(fd, 2);
	received = now_us();
	close(fd);
	check(good, "%u MiB there in %llu ms and back in %llu ms, bit for bit", STREAM_BYTES >> 20,
	      (unsigned long long)(sent - start) / 1000, (unsigned long long)(received - sent) / 1000);
}

static bool exchange(uint32_t instance, const char *text, char *answer, size_t room)
{
	struct twinkernel_message out = {
		.size = sizeof(out), .instance = instance, .bytes = strlen(text), .data = (uintptr_t)text,
	};
	struct twinkernel_message in = {
		.size = sizeof(in), .instance = instance, .bytes = room - 1, .timeout_ms = 60000, .data = (uintptr_t)answer,
	};

	if (ioctl(device, TWINKERNEL_IOC_SEND, &out) || ioctl(device, TWINKERNEL_IOC_RECEIVE, &in))
		return false;
	answer[in.bytes] = '\0';
	return true;
}

/* Tells the instance to do something and waits until it has. */
void tell(uint32_t instance, const char *what)
{
	char answer[64] = "";

	must(exchange(instance, what, answer, sizeof(answer)) && !strcmp(answer, "done"), "instance %u: \"%s\": %s (%m)", instance,
	     what, answer);
}

static void messages(uint32_t instance)
{
	uint64_t took[100];
	char answer[64];
	int good = 0;

	for (int i = 0; i < 100; i++) {
		uint64_t start = now_us();

		good += exchange(instance, "nothing", answer, sizeof(answer)) && !strcmp(answer, "done");
		took[i] = now_us() - start;
	}
	qsort(took, 100, sizeof(took[0]), by_value);
	check(good == 100, "100 messages and answers, median %llu us", (unsigned long long)took[50]);
}

/*
 * The instance's own address outside: this kernel answers for it on its card and leads it over the link. The machine's
 * gateway, which is outside, asks this kernel who has it before it can answer the instance's ping.
 */
static void reached_from_outside(uint32_t instance)
{
	static const char *const settings[] = { "eth0/forwarding", "eth0/proxy_arp", "twin1/forwarding", "twin1/proxy_arp" };
	char path[96];

	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s", settings[i]);
		check(write_file(path, "1"), "%s", settings[i]);
	}
	check(!system("route add -host " OUTSIDE_ADDRESS " dev twin1"), "a route to " OUTSIDE_ADDRESS " over the link");
	tell(instance, "outside");
	check(ping("10.0.2.2"), "the network answers here as before");
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s", settings[i]);
		write_file(path, "0");
	}
}

uint32_t launch_linked(struct claimed *claimed, const char *name)
{
	uint32_t instance;
	char twin[16];

	check(network_up("10.0.2.15") && ping("10.0.2.2"), "the network answers");
	must(set_cpu(1, false), "CPU 1 offline");
	claim_memory(claimed, 4);
	load_image(claimed, name);
	instance = launch_image(claimed, 1);
	wait_state(instance, TWINKERNEL_READY);
	snprintf(twin, sizeof(twin), "twin%u", instance);
	must(interface_up(twin, OLD_ADDRESS) && carrier_becomes(twin, 1), "%s is up", twin);
	must(ping(NEW_ADDRESS), "the instance answers over it");
	return instance;
}

static void links(const char *name)
{
	struct claimed claimed;
	uint32_t instance = launch_linked(&claimed, name);
	long long rings;

	echoes();
	streams();
	rings = counter(instance, "rings");
	messages(instance);
	check(counter(instance, "rings") >= rings + 100, "each message rang: %lld rings", counter(instance, "rings"));
	say("rescued by the heartbeat: %lld of %lld frames", counter(instance, "rescued"), counter(instance, "rx_packets"));
	reached_from_outside(instance);
	tell(instance, "down");
	check(carrier_becomes("twin1", 0), "its interface is down: no carrier here");
	tell(instance, "up");
	check(carrier_becomes("twin1", 1) && ping(NEW_ADDRESS), "up again: it answers");
	for (const char *const *refused = (const char *const []){ "refused_header", "refused_index", "refused_length",
	     "refused_checksum", "refused_doorbell", NULL }; *refused; refused++)
		check(!counter(instance, *refused), "%s: %lld", *refused, counter(instance, *refused));
	tell(instance, "go");
	talk(instance);
	park(instance, 60000, 0);
	check(false, "the old kernel goes on after a commit");
}

static void noise_over(const char *where, int ms)
{
	static const struct {
		const char *name;
		unsigned int offset, bytes;
	} pieces[] = {
		{ "header", 0, sizeof(struct twin_link_header) },
		{ "parent", offsetof(struct twin_link_area, parent), sizeof(struct twin_link_side) },
		{ "child", offsetof(struct twin_link_area, child), sizeof(struct twin_link_side) },
		{ "rings", TWIN_LINK_RINGS, 0x200000 },
		{ "all", 0, TWIN_LINK_RINGS + 0x200000 },
	};
	int link = access("/sys/kernel/twinkernel/links/0", F_OK) ? 1 : 0;
	char command[160];

	for (unsigned int i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		if (strcmp(pieces[i].name, where))
			continue;
		snprintf(command, sizeof(command), "insmod /m/linknoise.ko start=%#llx bytes=%u ms=%d 2>/dev/null",
			 counter(link, "start") + pieces[i].offset, pieces[i].bytes, ms);
		system(command);
		return;
	}
	must(false, "there is a piece %s", where);
}

static void answered_from_outside(void)
{
	system("ifconfig twin0:1 " OUTSIDE_ADDRESS " netmask 255.255.255.0");
	check(ping("10.0.2.2"), "what is outside answers " OUTSIDE_ADDRESS " before the cut-over, through the other kernel's card");
	system("ifconfig twin0:1 down");
}

/* What the old kernel asks for, until "go". FLOOD: a process that ends with "quiet", or 0. */
void obey(pid_t flood)
{
	pid_t server = start_server("0.0.0.0");
	char text[64];

	for (;;) {
		struct twinkernel_message in = {
			.size = sizeof(in), .bytes = sizeof(text) - 1, .timeout_ms = 60000, .data = (uintptr_t)text,
		};
		struct twinkernel_message out = { .size = sizeof(out), .bytes = 4, .data = (uintptr_t)"done" };

		if (ioctl(device, TWINKERNEL_IOC_RECEIVE, &in))
			continue;
		text[in.bytes] = '\0';
		if (!strcmp(text, "down"))
			system("ifconfig twin0 down");
		else if (!strcmp(text, "outside"))
			answered_from_outside();
		else if (!strcmp(text, "up"))
			interface_up("twin0", NEW_ADDRESS);
		else if (!strncmp(text, "noise ", 6))
			noise_over(text + 6, 1500);
		else if (!strcmp(text, "quiet"))
			kill(flood, SIGKILL);
		else if (!strcmp(text, "count"))
			for (const char *const *name = (const char *const []){ "rx_packets", "refused_header", "refused_index",
			     "refused_length", "refused_checksum", "refused_doorbell", NULL }; *name; name++)
				say("%s: %lld", *name, counter(0, *name));
		if (ioctl(device, TWINKERNEL_IOC_SEND, &out))
			must(false, "answer \"%s\" (%m)", text);
		if (!strcmp(text, "go"))
			break;
	}
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

static void linked(const char *name)
{
	uint64_t start;

	(void)name;
	must(interface_up("twin0", NEW_ADDRESS), "twin0 is there");
	get_ready();
	obey(0);
	take_over();
	check(carrier_becomes("twin0", 0), "the parent has parked: no carrier");
	own_rest();
	for (start = now_us(); !access("/sys/class/net/twin0", F_OK) && now_us() - start < DEADLINE_US;)
		sleep_ms(5);
	check(access("/sys/class/net/twin0", F_OK) && access("/sys/kernel/twinkernel/links/0", F_OK), "no parent, no link");
}
SCENARIO(link, links, linked);

/* Datagrams of all sizes, more small ones, to the peer's echo, as fast as they go, and what comes back is taken. */
static pid_t start_flood(const char *address)
{
	struct sockaddr_in peer = ip_address(address, ECHO_PORT);
	static char data[60000];
	pid_t child = fork();
	int fd;

	if (child)
		return child;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	connect(fd, (struct sockaddr *)&peer, sizeof(peer));
	for (unsigned int i = 0;; i++) {
		send(fd, data, i * 997 % (i % 4 ? 256 : sizeof(data)), MSG_DONTWAIT);
		while (recv(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
			;
		if (i % 16 == 0)
			usleep(200);
	}
}

static void stands_noise(const char *name)
{
	static const char *const pieces[] = { "header", "parent", "child", "rings", "all" };
	static const char *const refused[] = { "refused_header", "refused_index", "refused_length", "refused_doorbell" };
	long memory = meminfo_kib("MemTotal:"), kernel;
	struct claimed claimed;
	uint32_t instance = launch_linked(&claimed, name);
	pid_t flood = start_flood(NEW_ADDRESS), server = start_server("0.0.0.0");
	char what[32];

	kernel = meminfo_kib("SUnreclaim:");
	for (unsigned int i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		noise_over(pieces[i], 1500);
		check(carrier_becomes("twin1", 1) && ping(NEW_ADDRESS),
		      "noise from here over %s: the link goes on", pieces[i]);
		snprintf(what, sizeof(what), "noise %s", pieces[i]);
		tell(instance, what);
		check(carrier_becomes("twin1", 1) && ping(NEW_ADDRESS),
		      "noise from there over %s: the link goes on", pieces[i]);
	}
	for (unsigned int i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		check(counter(instance, refused[i]) > 0, "%s: %lld", refused[i], counter(instance, refused[i]));
	tell(instance, "count");
	say("frames received: %lld, %lld of them found by the heartbeat", counter(instance, "rx_packets"), counter(instance, "rescued"));
	kill(flood, SIGKILL);
	tell(instance, "quiet");
	echoes();
	stop(instance);
	kill(server, SIGKILL);
	while (wait(NULL) > 0)
		;
	check(access("/sys/kernel/twinkernel/links/1", F_OK), "the link is gone with the instance");
	check(meminfo_kib("SUnreclaim:") < kernel + 8192, "the kernel holds %ld KiB, held %ld", meminfo_kib("SUnreclaim:"), kernel);
	whole_again(&claimed, memory);
}

static void makes_noise(const char *name)
{
	(void)name;
	must(interface_up("twin0", NEW_ADDRESS), "twin0 is there");
	get_ready();
	obey(start_flood(OLD_ADDRESS));
	check(false, "this kernel was to be stopped");
}
SCENARIO(linkfuzz, stands_noise, makes_noise);
