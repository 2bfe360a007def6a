// SPDX-License-Identifier: GPL-2.0
/* What is there can be seen: sysfs, uevents and tracepoints through the life of an instance. */
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "twintest.h"

#define ROOT "/sys/kernel/twinkernel/"
#define TRACING "/sys/kernel/tracing/"

static bool reads(const char *expected, const char *format, ...)
{
	char path[160], text[256];
	va_list arguments;
	bool good;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	good = read_file(path, text, sizeof(text)) && !strncmp(text, expected, strlen(expected));
	text[strcspn(text, "\n")] = '\0';
	return check(good, "%s: \"%s\"", path, text);
}

static int listen_to_uevents(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int events = socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

	must(events >= 0 && !bind(events, (struct sockaddr *)&address, sizeof(address)), "listen to uevents (%m)");
	return events;
}

/* Reads on until an event begins with @what and holds @word among its NUL separated lines. */
static bool saw_event(int events, const char *what, const char *word)
{
	uint64_t start = now_us();
	char event[4096];

	while (now_us() - start < DEADLINE_US) {
		ssize_t length = recv(events, event, sizeof(event) - 1, 0);

		if (length < 0) {
			sleep_ms(5);
			continue;
		}
		event[length] = '\0';
		if (strncmp(event, what, strlen(what)))
			continue;
		for (char *line = event; line < event + length; line += strlen(line) + 1)
			if (!word || !strcmp(line, word))
				return true;
	}
	return false;
}

static bool traced(const char *event)
{
	static char text[256 * 1024];

	return read_file(TRACING "trace", text, sizeof(text)) && strstr(text, event);
}

static void looks(const char *name)
{
	long memory = meminfo_kib("MemTotal:");
	uint32_t instance, slot;
	struct claimed claimed;
	char number[64];
	int events;

	must(!mount("trace", TRACING, "tracefs", 0, NULL) && write_file(TRACING "events/twinkernel/enable", "1"),
	     "trace the module's events (%m)");
	events = listen_to_uevents();
	must(set_cpu(1, false), "CPU 1 offline");
	claim_memory(&claimed, 4);
	slot = claimed.slot.slot;
	snprintf(number, sizeof(number), "%#llx\n", claimed.slot.start);
	reads(number, ROOT "slots/%u/start", slot);
	snprintf(number, sizeof(number), "%llu\n", claimed.slot.bytes);
	reads(number, ROOT "slots/%u/bytes", slot);
	reads("0\n", ROOT "slots/%u/instance", slot);
	load_image(&claimed, name);
	instance = launch_image(&claimed, 1);
	snprintf(number, sizeof(number), "%u\n", instance);
	reads(number, ROOT "slots/%u/instance", slot);
	reads("1\n", ROOT "instances/%u/cpus", instance);
	reads(IMAGE_ID "\n", ROOT "instances/%u/image_id", instance);
	wait_state(instance, TWINKERNEL_READY);
	reads("ready\n", ROOT "instances/%u/state", instance);
	reads("0\n", ROOT "instances/%u/armed", instance);
	must(!ioctl(device, TWINKERNEL_IOC_ARM, &(struct twinkernel_arm){ .size = sizeof(struct twinkernel_arm), .instance = instance }),
	     "arm (%m)");
	reads("1\n", ROOT "instances/%u/armed", instance);
	must(!ioctl(device, TWINKERNEL_IOC_ARM, &(struct twinkernel_arm){ .size = sizeof(struct twinkernel_arm) }), "disarm (%m)");
	reads("0\n", ROOT "instances/%u/armed", instance);
	check(saw_event(events, "add@/kernel/twinkernel/slots/1", NULL), "uevent: a slot");
	check(saw_event(events, "add@/kernel/twinkernel/instances/1", NULL), "uevent: an instance");
	check(saw_event(events, "change@/kernel/twinkernel/instances/1", "TWINKERNEL_STATE=launched"), "uevent: launched");
	check(saw_event(events, "change@/kernel/twinkernel/instances/1", "TWINKERNEL_STATE=ready"), "uevent: ready");
	stop(instance);
	check(saw_event(events, "remove@/kernel/twinkernel/instances/1", NULL), "uevent: it is gone");
	check(access(ROOT "instances/1", F_OK), "its directory is gone");
	whole_again(&claimed, memory);
	check(access(ROOT "slots/1", F_OK), "the slot's directory is gone");
	check(traced("claim_slot: id=1") && traced("launch: instance=1 cpu=1") && traced("give_cpu: instance=1") &&
	      traced("state: instance=1 value=3") && traced("stop: instance=1") && traced("release_slot: id=1"),
	      "each step is in the trace");
	close(events);
}

static void waits(const char *name)
{
	(void)name;
	stay_ready();
}
SCENARIO(inspect, looks, waits);
