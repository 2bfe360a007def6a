// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "twintest.h"

const char *network_card = "eth0";

static void address_of(struct ifreq *request, const char *text)
{
	struct sockaddr_in address = { .sin_family = AF_INET };

	inet_aton(text, &address.sin_addr);
	memcpy(&request->ifr_addr, &address, sizeof(address));
}

/* An interface with ADDRESS/24, as soon as it is there. */
bool interface_up(const char *name, const char *address)
{
	uint64_t deadline = now_us() + DEADLINE_US;
	struct ifreq request = {};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool good = false;

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	while (ioctl(fd, SIOCGIFFLAGS, &request) && now_us() < deadline)
		usleep(200);
	address_of(&request, address);
	if (ioctl(fd, SIOCSIFADDR, &request))
		goto out;
	address_of(&request, "255.255.255.0");
	if (ioctl(fd, SIOCSIFNETMASK, &request))
		goto out;
	if (ioctl(fd, SIOCGIFFLAGS, &request))
		goto out;
	request.ifr_flags |= IFF_UP | IFF_RUNNING;
	good = !ioctl(fd, SIOCSIFFLAGS, &request);
out:
	close(fd);
	return good;
}

/* The card. */
bool network_up(const char *address)
{
	return interface_up(network_card, address);
}

/* A connection from the card's address to itself, for as long as this process lives. */
void connect_to_itself(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(7777) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_aton("10.0.2.15", &address.sin_addr);
	must(interface_up("lo", "127.0.0.1"), "the loopback interface");	/* what a kernel sends to itself goes there */
	must(!bind(listener, (struct sockaddr *)&address, sizeof(address)) && !listen(listener, 1) &&
	     !connect(one, (struct sockaddr *)&address, sizeof(address)) && accept(listener, NULL, NULL) >= 0,
	     "a TCP connection (%m)");
}

/* In the launched kernel, behind the park: both ends of that connection are told of, or none after a panic. */
void find_connections(int ends)
{
	struct twinkernel_connection found[8] = {};
	struct twinkernel_connections list = {
		.size = sizeof(list), .capacity = 8, .connections = (uintptr_t)found,
	};
	int seen = 0;

	must(!ioctl(device, TWINKERNEL_IOC_CONNECTIONS, &list), "ask for connections (%m)");
	for (uint32_t i = 0; i < list.count && i < 8; i++)
		seen += found[i].local == inet_addr("10.0.2.15") && found[i].remote == found[i].local &&
			(found[i].local_port == htons(7777)) != (found[i].remote_port == htons(7777));
	check(seen == ends && list.count == (uint32_t)ends, "the old kernel had %u connections with others", list.count);
}

static uint16_t checksum(const void *bytes, size_t count)
{
	const uint16_t *words = bytes;
	uint32_t total = 0;

	for (; count > 1; count -= 2)
		total += *words++;
	total = (total & 0xffff) + (total >> 16);
	return ~(total + (total >> 16));
}

/* One echo after the other, 5 ms apart, until one is answered. */
bool ping(const char *address)
{
	uint64_t deadline = now_us() + DEADLINE_US;
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	struct sockaddr_in to = { .sin_family = AF_INET };
	bool answered = false;

	inet_aton(address, &to.sin_addr);
	for (uint16_t sequence = 1; !answered && now_us() < deadline; sequence++) {
		struct icmphdr echo = { .type = ICMP_ECHO };
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		uint8_t reply[256];

		echo.un.echo.id = htons(0x7457);
		echo.un.echo.sequence = htons(sequence);
		echo.checksum = checksum(&echo, sizeof(echo));
		sendto(fd, &echo, sizeof(echo), 0, (struct sockaddr *)&to, sizeof(to));
		while (!answered && poll(&ready, 1, 5) > 0) {
			ssize_t bytes = recv(fd, reply, sizeof(reply), 0);
			const struct iphdr *ip = (const void *)reply;
			const struct icmphdr *icmp = (const void *)(reply + ip->ihl * 4);

			answered = bytes >= (ssize_t)(ip->ihl * 4 + sizeof(*icmp)) && icmp->type == ICMP_ECHOREPLY &&
				   icmp->un.echo.id == htons(0x7457);
		}
	}
	close(fd);
	return answered;
}
