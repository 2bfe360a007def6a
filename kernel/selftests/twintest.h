/* SPDX-License-Identifier: GPL-2.0 */
/* What the self tests share: TAP output through the kernel log, small files, the device. */
#ifndef TWINTEST_H
#define TWINTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../include/uapi/twinkernel.h"

extern int device;	/* /dev/twinkernel */

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool check(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));
void must(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));
void finish(void) __attribute__((noreturn));

uint64_t now_us(void);
void sleep_ms(int ms);
bool write_file(const char *path, const char *text);
bool read_file(const char *path, char *text, size_t room);
long meminfo_kib(const char *name);

/* The machine as the device describes it. */
struct machine {
	struct twinkernel_query query;
	struct twinkernel_cpu cpus[64];
	struct twinkernel_range ranges[64];
};
void query_machine(struct machine *machine);

/* load.c: what BootImage does in the product, just enough for a test. */
struct loaded {
	uint64_t entry, boot_params, page_table, control;
};
void load(const struct twinkernel_claim_slot *slot, const struct machine *machine, const char *kernel,
	  const char *initrd, const char *options, struct loaded *out);

/* network.c */
bool network_up(const char *address, int timeout_ms);
bool ping(const char *address, int timeout_ms);

/* Roles. */
struct claimed {
	struct twinkernel_claim_slot slot;
	struct loaded image;
};
void old_kernel(const char *scenario);
void new_kernel(const char *scenario);
void claim_memory(struct claimed *claimed, int blocks);
void load_image(struct claimed *claimed, const char *scenario);
void give_memory_back(struct claimed *claimed);
uint32_t launch_image(const struct claimed *claimed, int cpu);
void ioctl_errors(const struct claimed *claimed);

#endif
