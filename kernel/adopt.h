/* SPDX-License-Identifier: GPL-2.0 */
/* Adopt: the commit, and the parent's memory after it. */
#ifndef TWIN_ADOPT_H
#define TWIN_ADOPT_H

#include "twin.h"

int twin_adopt_commit(struct twinkernel_commit *commit);
int twin_adopt_memory(struct twinkernel_adopt_memory *adopt);
int twin_adopt_release_memory(struct twinkernel_release_memory *release);

#endif
