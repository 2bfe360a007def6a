// SPDX-License-Identifier: GPL-2.0
/* This kernel's own serial port, as a user of it sees it, and the interrupts behind it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "twintest.h"

#ifndef TIOCM_LOOP
#define TIOCM_LOOP 0x8000	/* asm/termios.h, which does not go with termios.h */
#endif

struct port open_port(void)
{
	char line[4096], path[16];
	struct termios raw;
	struct port port;

	read_file("/proc/cmdline", line, sizeof(line));
	port.irq = strstr(line, "console=ttyS1") ? 3 : 4;
	snprintf(path, sizeof(path), "/dev/ttyS%d", port.irq == 3);
	port.fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	must(port.fd >= 0 && !tcgetattr(port.fd, &raw), "open %s (%m)", path);
	cfmakeraw(&raw);
	tcsetattr(port.fd, TCSANOW, &raw);
	return port;
}

/* The rest of an interrupt's line in /proc/interrupts, or "". */
static const char *interrupt_line(int irq, char *text, size_t room)
{
	char start[16], *line;

	read_file("/proc/interrupts", text, room);
	snprintf(start, sizeof(start), "%d:", irq);
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		line += strspn(line, " ");
		if (!strncmp(line, start, strlen(start)))
			return line + strlen(start);
	}
	return "";
}

long interrupts_on(int irq, int column)
{
	char text[16384], *end;
	const char *at = interrupt_line(irq, text, sizeof(text));
	long sum = 0;

	for (int cpu = 0; ; cpu++, at = end) {
		long count = strtol(at, &end, 10);

		/* The name of the controller may begin with digits, but not with digits and a blank. */
		if (end == at || *end != ' ')
			return sum;
		sum += column < 0 || cpu == column ? count : 0;
	}
}

long interrupts(int irq)
{
	return interrupts_on(irq, -1);
}

bool interrupt_is(int irq, const char *kind)
{
	char text[16384];

	return strstr(interrupt_line(irq, text, sizeof(text)), kind);
}

/* One line out, all of it, within the deadline. */
bool writes_line(int fd, int number)
{
	uint64_t start = now_us();
	char line[64];
	int queued = 1;

	if (write(fd, line, snprintf(line, sizeof(line), "# line %d of this kernel's user\r\n", number)) < 0)
		return false;
	while (!ioctl(fd, TIOCOUTQ, &queued) && queued && now_us() - start < DEADLINE_US)
		sleep_ms(2);
	return !queued;
}

static int write_lines(const struct port *port, int count)
{
	int written = 0;

	for (int i = 0; i < count; i++)
		written += writes_line(port->fd, i);
	return written;
}

void console_works(const char *controller)
{
	struct port port = open_port();
	long before = interrupts(port.irq), idle, after;
	int written;

	written = write_lines(&port, 10);
	after = interrupts(port.irq);
	check(written == 10 && after >= before + 10 && interrupt_is(port.irq, controller),
	      "%d lines written by %ld interrupts of %s", written, after - before, controller);
	sleep_ms(200);
	idle = interrupts(port.irq);
	sleep_ms(200);
	check(interrupts(port.irq) == idle, "none while nothing is written");
	close(port.fd);
}

/* The port hears itself: nothing may be printed meanwhile. */
void console_reads(void)
{
	struct port port = open_port();
	int loop = TIOCM_LOOP;
	long before = interrupts(port.irq);
	uint64_t start = now_us();
	char heard[8] = "";
	ssize_t got = 0, part;

	ioctl(port.fd, TIOCMBIS, &loop);
	if (write(port.fd, "heard", 5) == 5)
		while (got < 5 && now_us() - start < DEADLINE_US) {
			part = read(port.fd, heard + got, 5 - got);
			got += part > 0 ? part : 0;
			sleep_ms(2);
		}
	ioctl(port.fd, TIOCMBIC, &loop);
	check(!strcmp(heard, "heard") && interrupts(port.irq) > before, "reads \"%s\" by %ld interrupts", heard,
	      interrupts(port.irq) - before);
	close(port.fd);
}

void console_moves(void)
{
	struct port port = open_port();
	char path[64], cpu_text[8];

	snprintf(path, sizeof(path), "/proc/irq/%d/smp_affinity_list", port.irq);
	for (int round = 0; round < 4; round++) {
		int cpu = !(round & 1);
		long there, elsewhere, all;

		snprintf(cpu_text, sizeof(cpu_text), "%d", cpu);
		must(write_file(path, cpu_text), "%s takes %s (%m)", path, cpu_text);
		write_lines(&port, 2);	/* it moves in its own handler, but not before the last move has been tidied up */
		there = interrupts_on(port.irq, cpu);
		all = interrupts(port.irq);
		must(write_lines(&port, 5) == 5, "lines go out from CPU %d", cpu);
		there = interrupts_on(port.irq, cpu) - there;
		elsewhere = interrupts(port.irq) - all - there;
		check(there >= 5 && !elsewhere, "%ld interrupts on CPU %d, %ld elsewhere", there, cpu, elsewhere);
		sleep_ms(100);
	}
	close(port.fd);
}
