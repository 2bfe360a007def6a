/* SPDX-License-Identifier: GPL-2.0 */
/* Memory that belongs to no kernel, and the pieces of it that have a name. */
#ifndef TWIN_PRESERVED_H
#define TWIN_PRESERVED_H

#include "twin.h"

struct twin_control;
struct twin_preserved;

int twin_preserved_init(const struct twin_control *control);
void twin_preserved_exit(void);
bool twin_preserved_overlaps(u64 start, u64 bytes);
void twin_preserved_hand_on(struct twin_preserved *to);

int twin_preserved_memory(struct twinkernel_preserve_memory *memory);
int twin_preserved_make(struct twinkernel_preserve *preserve);
int twin_preserved_list(struct twinkernel_preserved *list);

#endif
