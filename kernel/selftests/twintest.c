// SPDX-License-Identifier: GPL-2.0
/*
 * twintest old|new SCENARIO: the part of the two agents in a self test. TAP lines go to the kernel log,
 * which reaches the console whatever state the serial driver is in; the last line is "TWINTEST PASS" or
 * "TWINTEST FAIL".
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "twintest.h"

int device = -1;
static int checks, failures;

static void log_line(const char *line)
{
	static int kmsg = -1;

	if (kmsg < 0)
		kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (kmsg < 0 || write(kmsg, line, strlen(line)) < 0)
		puts(line);
}

static void log_format(const char *prefix, const char *format, va_list arguments)
{
	char text[512], line[640];

	vsnprintf(text, sizeof(text), format, arguments);
	snprintf(line, sizeof(line), "%s%s\n", prefix, text);
	log_line(line);
}

void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_format("# ", format, arguments);
	va_end(arguments);
}

static bool check_list(bool good, const char *format, va_list arguments)
{
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "%s %d - ", good ? "ok" : "not ok", ++checks);
	failures += !good;
	log_format(prefix, format, arguments);
	return good;
}

bool check(bool good, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	check_list(good, format, arguments);
	va_end(arguments);
	return good;
}

void must(bool good, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	check_list(good, format, arguments);
	va_end(arguments);
	if (!good)
		finish();
}

void finish(void)
{
	log_line(failures ? "TWINTEST FAIL\n" : "TWINTEST PASS\n");
	exit(failures != 0);
}

uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

void sleep_ms(int ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

/* All of a file, as far as there is room: one read() of those in /proc gives a part. */
bool read_file(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t got = -1;

	while (fd >= 0 && length < room - 1 && (got = read(fd, text + length, room - 1 - length)) > 0)
		length += got;
	if (fd >= 0)
		close(fd);
	text[length] = '\0';
	return got >= 0;
}

/* A number from this kernel's command line. */
long parameter(const char *name, long otherwise)
{
	char line[4096], *at;

	read_file("/proc/cmdline", line, sizeof(line));
	at = strstr(line, name);
	return at ? strtol(at + strlen(name), NULL, 10) : otherwise;
}

long meminfo_kib(const char *name)
{
	char text[4096], *at;

	read_file("/proc/meminfo", text, sizeof(text));
	at = strstr(text, name);
	return at ? strtol(at + strlen(name) + 1, NULL, 10) : -1;
}

int node_of(const char *kind, int number)
{
	char path[96];

	for (int node = 0; node < MAX_NODES; node++) {
		snprintf(path, sizeof(path), "/sys/devices/system/%s%d/node%d", kind, number, node);
		if (!access(path, F_OK))
			return node;
	}
	return 0;
}

void query_machine(struct machine *machine)
{
	memset(machine, 0, sizeof(*machine));
	machine->query.size = sizeof(machine->query);
	machine->query.cpu_capacity = 64;
	machine->query.cpus = (uintptr_t)machine->cpus;
	machine->query.range_capacity = 64;
	machine->query.ranges = (uintptr_t)machine->ranges;
	must(!ioctl(device, TWINKERNEL_IOC_QUERY, &machine->query), "query");
}

extern const struct scenario __start_scenarios[], __stop_scenarios[];

int main(int argc, char **argv)
{
	const struct scenario *scenario = __start_scenarios;

	if (argc != 3) {
		fprintf(stderr, "usage: twintest old|new SCENARIO\n");
		return 2;
	}
	while (scenario < __stop_scenarios && strcmp(scenario->name, argv[2]))
		scenario++;
	must(scenario < __stop_scenarios, "there is a scenario %s", argv[2]);
	device = open("/dev/twinkernel", O_RDWR | O_CLOEXEC);
	must(device >= 0, "open /dev/twinkernel (%m)");
	if (!strcmp(argv[1], "old"))
		scenario->in_old(scenario->name);
	else
		scenario->in_new(scenario->name);
	finish();
}
