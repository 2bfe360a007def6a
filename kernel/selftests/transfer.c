// SPDX-License-Identifier: GPL-2.0
/*
 * Resources go to the instance and back one by one while the running kernel serves on its first card; then the instance is
 * stopped with all of them in its hands, and the running kernel is whole.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>
#include "twintest.h"

#define SECOND_CARD "0000:01:00.0"
static const struct twinkernel_function second_card = { .bus = 1 };

/* ---- the running kernel ---- */

static struct {
	uint32_t answers, longest_us;
} *service;

/* The service: an answer after the other on the first card, in a process of its own. */
static pid_t serve(void)
{
	pid_t child;

	service = mmap(NULL, sizeof(*service), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(service != MAP_FAILED, "room for what the service counts (%m)");
	child = fork();
	for (uint64_t last = now_us(); !child; sleep_ms(5)) {
		if (!ping("10.0.2.2", 1000))
			continue;
		if (now_us() - last > service->longest_us)
			service->longest_us = now_us() - last;
		last = now_us();
		service->answers++;
	}
	return child;
}

static void still_serves(const char *when)
{
	uint32_t answers = service->answers;
	uint64_t start = now_us();

	while (service->answers < answers + 3 && now_us() - start < 5000000)
		sleep_ms(5);
	check(service->answers >= answers + 3 && service->longest_us < 2000000,
	      "the first card serves %s: %u answers, longest time between two %u us", when, service->answers,
	      service->longest_us);
}

/* One command for the instance's side; its answer is the errno it met. */
static int order(uint32_t instance, const char *command)
{
	char answer[16] = "";
	struct twinkernel_message out = {
		.size = sizeof(out), .instance = instance, .bytes = strlen(command), .data = (uintptr_t)command,
	};
	struct twinkernel_message in = {
		.size = sizeof(in), .instance = instance, .bytes = sizeof(answer) - 1, .timeout_ms = 30000,
		.data = (uintptr_t)answer,
	};

	must(!ioctl(device, TWINKERNEL_IOC_SEND, &out) && !ioctl(device, TWINKERNEL_IOC_RECEIVE, &in),
	     "\"%s\" has an answer (%m)", command);
	return atoi(answer);
}

#define TIMED(call, what) do {											\
		uint64_t start = now_us();									\
		bool good = (call);										\
		check(good, "%s in %llu us (%m)", what, (unsigned long long)(now_us() - start));		\
	} while (0)

static int function_request(unsigned long request, uint32_t instance, struct twinkernel_function where)
{
	struct twinkernel_give_function argument = { .size = sizeof(argument), .instance = instance, .function = where };

	return ioctl(device, request, &argument) ? errno : 0;
}

static bool bind_second(const char *action)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/virtio-pci/%s", action);
	return write_file(path, SECOND_CARD);
}

static void second_card_serves(const char *when)
{
	network_card = "eth1";
	check(network_up("10.0.3.15", 5000) && ping("10.0.3.2", 5000), "the second card serves here %s", when);
	network_card = "eth0";
}

static void refuse_functions(uint32_t instance)
{
	check(function_request(TWINKERNEL_IOC_GIVE_FUNCTION, instance, second_card) == EBUSY, "a function with a driver");
	check(function_request(TWINKERNEL_IOC_GIVE_FUNCTION, 77, second_card) == ENOENT, "a function to nobody");
	check(function_request(TWINKERNEL_IOC_GIVE_FUNCTION, instance, (struct twinkernel_function){ 0, 30 << 3 }) == ENODEV,
	      "a function that is not there");
	check(function_request(TWINKERNEL_IOC_GIVE_FUNCTION, instance, (struct twinkernel_function){ 0, 4 << 3 }) == EOPNOTSUPP,
	      "a bridge");
	check(function_request(TWINKERNEL_IOC_TAKE_FUNCTION, instance, second_card) == ENOENT, "take what was not given");
	check(order(instance, "adopt") == EAGAIN, "there: adopt what was not given");
	check(order(instance, "release") == ENOENT, "there: release what was not adopted");
}

static void give_function(uint32_t instance)
{
	struct twinkernel_arm arm = {
		.size = sizeof(arm), .instance = instance, .function_count = 1, .functions = { second_card },
	};

	TIMED(bind_second("unbind"), "unbind the second card");
	TIMED(!function_request(TWINKERNEL_IOC_GIVE_FUNCTION, instance, second_card), "give it");
	check(!bind_second("bind"), "no driver binds to it here");
	check(function_request(TWINKERNEL_IOC_GIVE_FUNCTION, instance, second_card) == EEXIST, "give it twice");
	check(ioctl(device, TWINKERNEL_IOC_ARM, &arm) && errno == EINVAL, "arm with it");
	TIMED(!order(instance, "adopt"), "there: adopted, and serves");
	check(function_request(TWINKERNEL_IOC_TAKE_FUNCTION, instance, second_card) == EBUSY, "take it while it is in use");
}

static void take_function(uint32_t instance)
{
	TIMED(!order(instance, "release"), "there: released");
	TIMED(!function_request(TWINKERNEL_IOC_TAKE_FUNCTION, instance, second_card), "take it back");
	second_card_serves("again");
}

static void transfers(const char *name)
{
	long memory = meminfo_kib("MemTotal:");
	struct claimed claimed;
	uint32_t instance;
	pid_t child;

	check(network_up("10.0.2.15", 5000) && ping("10.0.2.2", 5000), "the network answers");
	second_card_serves("at first");
	must(set_cpu(1, false), "CPU 1 offline");
	claim_memory(&claimed, 4);
	load_image(&claimed, name);
	instance = launch_image(&claimed, 1);
	child = serve();
	wait_state(instance, TWINKERNEL_READY, 60000);
	still_serves("while the instance boots");
	refuse_functions(instance);
	for (int round = 0; round < 2; round++) {
		give_function(instance);
		still_serves("with the second card away");
		if (round == 0)
			take_function(instance);
	}
	stop(instance);
	second_card_serves("after the stop");
	still_serves("to the end");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	whole_again(&claimed, memory);
}

/* ---- the launched kernel ---- */

static int adopt_second(void)
{
	struct twinkernel_adopt_function adopt = { .size = sizeof(adopt), .function = second_card };

	if (ioctl(device, TWINKERNEL_IOC_ADOPT_FUNCTION, &adopt))
		return errno;
	return network_up("10.0.3.16", 5000) && ping("10.0.3.2", 5000) ? 0 : EIO;
}

static int release_second(void)
{
	struct twinkernel_release_function release = { .size = sizeof(release), .function = second_card };

	return ioctl(device, TWINKERNEL_IOC_RELEASE_FUNCTION, &release) ? errno : 0;
}

static int obey(const char *command)
{
	if (!strcmp(command, "adopt"))
		return adopt_second();
	if (!strcmp(command, "release"))
		return release_second();
	return ENOSYS;
}

static void obeys(const char *name)
{
	(void)name;
	get_ready();
	for (;;) {
		char text[64] = "";
		struct twinkernel_message in = {
			.size = sizeof(in), .bytes = sizeof(text) - 1, .timeout_ms = 60000, .data = (uintptr_t)text,
		};
		struct twinkernel_message out = { .size = sizeof(out), .data = (uintptr_t)text };

		if (ioctl(device, TWINKERNEL_IOC_RECEIVE, &in))
			continue;
		say("told to \"%s\"", text);
		out.bytes = sprintf(text, "%d", obey(text)) + 1;
		must(!ioctl(device, TWINKERNEL_IOC_SEND, &out), "answer (%m)");
	}
}
SCENARIO(transfer, transfers, obeys);
