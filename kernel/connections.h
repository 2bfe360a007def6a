/* SPDX-License-Identifier: GPL-2.0 */
/* TCP connections, which a park ends without a word to those at their other ends. */
#ifndef TWIN_CONNECTIONS_H
#define TWIN_CONNECTIONS_H

#include "twin.h"

u32 twin_connections_list(struct twinkernel_connection *into, u32 capacity);

#endif
