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
__attribute__((noreturn)) void finish(void);

/* For what happens at once, also on a machine that stands still for seconds: what takes so long never happens. A boot is given four. */
#define DEADLINE_US 30000000ULL

uint64_t now_us(void);
void sleep_ms(int ms);
bool write_file(const char *path, const char *text);
bool read_file(const char *path, char *text, size_t room);
long meminfo_kib(const char *name);
long parameter(const char *name, long otherwise);

#define MAX_NODES 8
int node_of(const char *kind, int number);	/* of "cpu/cpu" or "memory/memory"; 0 on a machine without nodes */

/* The machine as the device describes it. */
struct machine {
	struct twinkernel_query query;
	struct twinkernel_cpu cpus[64];
	struct twinkernel_range ranges[64];
};
void query_machine(struct machine *machine);

/* inventory.c */
struct inventory {
	char lines[8000];
};
long free_kib(void);
void take_inventory(struct inventory *inventory);
bool same_inventory(const struct inventory *before, const struct inventory *now, long tolerance_kib);

/* load.c: what BootImage does in the product, just enough for a test. */
#define TABLES_BYTES		(LINK_IN_TABLES + LINK_BYTES)	/* at the slot's end, not the new kernel's RAM: the RSDP comes first */
#define CONTROL_IN_TABLES	0x80000
#define LINK_IN_TABLES		0x100000
#define LINK_BYTES		0x201000	/* a page and two rings of 1 MiB */
struct loaded {
	uint64_t entry, boot_params, page_table, control, link, link_bytes;
};
extern bool hands_on;			/* the loaded initramfs also holds /next/vmlinuz and /next/initrd */
extern int boots_with;			/* CPUs that the new kernel brings up by itself: those offline here come first in its tables */
extern bool other_console_taken;	/* the first load of two has the second serial port */
void load(const struct twinkernel_claim_slot *slot, const struct machine *machine, const char *kernel,
	  const char *initrd, const char *options, struct loaded *out);
void load_tables(const struct twinkernel_claim_slot *slot, const struct machine *machine, struct loaded *out);
void twin_options(char *to, size_t room, const struct machine *machine, uint64_t control);

/* network.c */
extern const char *network_card;	/* eth0, unless a test has several */
bool network_up(const char *address);
bool interface_up(const char *name, const char *address);
bool ping(const char *address);
void connect_to_itself(void);
void find_connections(int ends);

/* old_side.c: what the running kernel's agent does. */
struct claimed {
	struct twinkernel_claim_slot slot;
	struct loaded image;
};
#define IMAGE_ID "of the self test"

bool set_cpu(int cpu, bool online);
bool set_block(int block, const char *state);
void claim_memory_at(struct claimed *claimed, int first, int count);
void claim_memory(struct claimed *claimed, int blocks);
void claim_memory_on(struct claimed *claimed, int blocks, int node);
void load_image(struct claimed *claimed, const char *scenario);
void load_image_with(struct claimed *claimed, const char *options);
void load_halt(struct claimed *claimed);
uint32_t try_launch(const struct claimed *claimed, int cpu);
uint32_t launch_image(const struct claimed *claimed, int cpu);
struct twinkernel_instance instance_of(uint32_t id);
void wait_state(uint32_t id, uint32_t state);
void talk(uint32_t instance);
void park(uint32_t instance, uint32_t patience_ms, uint32_t expected_end);
void stop(uint32_t instance);
void give_memory_back(struct claimed *claimed);
void send_text(uint32_t instance, const char *text);
void whole_again(struct claimed *claimed, long memory);
int patience(void);

/* preserved.c */
void preserve(void);
void preserves_no_more(int error);
void find_preserved(uint64_t visits);

/* port.c: this kernel's own serial port */
struct port {
	int fd;
	int irq;
};
struct port open_port(void);
bool writes_line(int fd, int number);
long interrupts(int irq);			/* on all CPUs */
long interrupts_on(int irq, int cpu);
bool interrupt_is(int irq, const char *kind);
void console_works(const char *controller);	/* by interrupts of this controller, and by nothing else */
void console_reads(void);
void console_moves(void);

/* new_side.c: what the launched kernel's agent does. */
void get_ready(void);
__attribute__((noreturn)) void stay_ready(void);
void take_over(void);
void own_rest(void);
void take_card(void);
void own_all(void);
void use_memory(void);

/*
 * One scenario: its part in the running kernel and its part in the launched one. A part that returns ends the
 * test with a verdict; one whose end is the other kernel's must not return.
 */
struct scenario {
	const char *name;	/* lower case letters and _ */
	void (*in_old)(const char *name);
	void (*in_new)(const char *name);
};

/* Registers a scenario; one file may hold several. */
#define SCENARIO(id, old_part, new_part)						\
	static const struct scenario scenario_##id					\
	__attribute__((used, aligned(8), section("scenarios"))) = { #id, old_part, new_part }

#endif
