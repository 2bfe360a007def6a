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
bool interface_up(const char *name, const char *address, int timeout_ms)
{
	uint64_t deadline = now_us() + timeout_ms * 1000ULL;
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
bool network_up(const char *address, int timeout_ms)
{
	return interface_up(network_card, address, timeout_ms);
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
bool ping(const char *address, int timeout_ms)
{
	uint64_t deadline = now_us() + timeout_ms * 1000ULL;
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
