// SPDX-License-Identifier: GPL-2.0
/*
 * ledger PORT: the example of a service that hands over in place (docs/services.md). A table of keys and values in preserved memory
 * (TWINKERNEL_PRESERVED), behind a few words of Redis' protocol: PING, SET, GET, MGET, INCR, DEL, UNLINK.
 *
 * What is in the table is whole at every instant, whichever instruction was the last: a key has two versions, and the one that is
 * not in force is written, its number last. A version counts when it has a number and its sum is right; the higher number is in force.
 * Nothing else is kept anywhere, so that a copy that begins, in this kernel or another, has all there is.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT_BYTES	116	/* of key and value together */
#define CLIENTS		256
#define WORDS		1024
#define IN_BYTES	(64 * 1024)
#define OUT_BYTES	(256 * 1024)

struct version {
	uint32_t number;	/* 0: none */
	uint32_t sum;		/* of all that follows, and the number */
	uint8_t key_bytes;
	uint8_t value_bytes;
	uint8_t deleted;
	uint8_t unused;
	char text[TEXT_BYTES];
};

struct entry {
	struct version versions[2];
};

struct word {
	const char *text;
	size_t bytes;
};

struct client {
	int fd;
	size_t in, out, sent;
	char input[IN_BYTES], output[OUT_BYTES];
};

static struct entry *table;
static size_t entries;
static struct client *clients[CLIENTS];

static uint32_t mix(uint32_t hash, const void *bytes, size_t count)
{
	for (const uint8_t *at = bytes; count--; at++)
		hash = (hash ^ *at) * 16777619u;
	return hash;
}

static uint32_t sum_of(const struct version *version, uint32_t number)
{
	uint32_t hash = mix(2166136261u, &number, sizeof(number));

	return mix(hash, &version->key_bytes, sizeof(*version) - offsetof(struct version, key_bytes));
}

static bool valid(const struct version *version)
{
	return version->number && version->key_bytes + version->value_bytes <= TEXT_BYTES &&
	       version->sum == sum_of(version, version->number);
}

/* NULL: this entry has never been used. */
static struct version *in_force(struct entry *entry)
{
	struct version *a = &entry->versions[0], *b = &entry->versions[1];

	if (!valid(a))
		return valid(b) ? b : NULL;
	return valid(b) && b->number > a->number ? b : a;
}

/* The entry of a key, or the one where it would be; NULL: there is no room. */
static struct entry *find(struct word key)
{
	size_t first = mix(2166136261u, key.text, key.bytes) % entries;

	for (size_t i = 0; i < entries; i++) {
		struct entry *entry = &table[(first + i) % entries];
		const struct version *version = in_force(entry);

		if (!version || (version->key_bytes == key.bytes && !memcmp(version->text, key.text, key.bytes)))
			return entry;
	}
	return NULL;
}

/* An end between any two lines leaves the version before in force, or this one. */
static bool store(struct word key, struct word value, bool deleted)
{
	struct entry *entry = key.bytes <= TEXT_BYTES && value.bytes <= TEXT_BYTES - key.bytes ? find(key) : NULL;
	const struct version *before = entry ? in_force(entry) : NULL;
	uint32_t number = before ? before->number + 1 : 1;
	struct version *version;

	if (!entry)
		return false;
	version = &entry->versions[before == &entry->versions[0]];
	__atomic_store_n(&version->number, 0, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	version->key_bytes = key.bytes;
	version->value_bytes = value.bytes;
	version->deleted = deleted;
	memset(version->text, 0, sizeof(version->text));
	memcpy(version->text, key.text, key.bytes);
	memcpy(version->text + key.bytes, value.text, value.bytes);
	version->sum = sum_of(version, number);
	__atomic_store_n(&version->number, number, __ATOMIC_RELEASE);
	return true;
}

static bool load(struct word key, struct word *value)
{
	struct entry *entry = find(key);
	const struct version *version = entry ? in_force(entry) : NULL;

	if (!version || version->deleted)
		return false;
	*value = (struct word){ version->text + version->key_bytes, version->value_bytes };
	return true;
}

static void reply(struct client *client, const char *text, size_t bytes)
{
	if (bytes > OUT_BYTES - client->out) {
		shutdown(client->fd, SHUT_RDWR);	/* it does not read its replies */
		return;
	}
	memcpy(client->output + client->out, text, bytes);
	client->out += bytes;
}

static void reply_line(struct client *client, const char *text)
{
	reply(client, text, strlen(text));
	reply(client, "\r\n", 2);
}

static void reply_number(struct client *client, char kind, long number)
{
	char line[32];

	snprintf(line, sizeof(line), "%c%ld", kind, number);
	reply_line(client, line);
}

static void reply_value(struct client *client, struct word key)
{
	struct word value;

	if (!load(key, &value)) {
		reply_line(client, "$-1");
		return;
	}
	reply_number(client, '$', value.bytes);
	reply(client, value.text, value.bytes);
	reply(client, "\r\n", 2);
}

static void increment(struct client *client, struct word key)
{
	struct word value = {};
	char number[TEXT_BYTES + 1] = "", *end = number;
	long now;

	if (load(key, &value))
		memcpy(number, value.text, value.bytes);
	now = strtol(number, &end, 10) + 1;
	if (*end) {
		reply_line(client, "-ERR value is not an integer");
		return;
	}
	snprintf(number, sizeof(number), "%ld", now);
	if (store(key, (struct word){ number, strlen(number) }, false))
		reply_number(client, ':', now);
	else
		reply_line(client, "-ERR no room");
}

static void execute(struct client *client, const struct word *words, size_t count)
{
	const struct word *verb = &words[0];
	struct word value;
	long removed = 0;

#define IS(name) (verb->bytes == sizeof(name) - 1 && !strncasecmp(verb->text, name, sizeof(name) - 1))
	if (IS("PING") && count == 1) {
		reply_line(client, "+PONG");
	} else if (IS("SET") && count == 3) {
		reply_line(client, store(words[1], words[2], false) ? "+OK" : "-ERR no room");
	} else if (IS("GET") && count == 2) {
		reply_value(client, words[1]);
	} else if (IS("MGET") && count > 1) {
		reply_number(client, '*', count - 1);
		for (size_t i = 1; i < count; i++)
			reply_value(client, words[i]);
	} else if (IS("INCR") && count == 2) {
		increment(client, words[1]);
	} else if ((IS("DEL") || IS("UNLINK")) && count > 1) {
		for (size_t i = 1; i < count; i++)
			removed += load(words[i], &value) && store(words[i], (struct word){ "", 0 }, true);
		reply_number(client, ':', removed);
	} else {
		reply_line(client, "-ERR unknown command or wrong number of arguments");
	}
}

/* "KIND NUMBER CR LF" at @at: what follows, NULL when it is not all here yet; @number -1: it makes no sense. */
static const char *header(const char *at, const char *end, char kind, long limit, long *number)
{
	const char *line = memchr(at, '\n', end - at);
	char *rest;

	*number = -1;
	if (!line)
		return NULL;
	if (*at == kind) {
		*number = strtol(at + 1, &rest, 10);
		if (rest != line - 1 || *rest != '\r' || *number < 0 || *number > limit)
			*number = -1;
	}
	return line + 1;
}

/* One command. Returns its length, 0: not all of it is here, -1: it makes no sense. */
static ssize_t take(struct client *client, const char *begin, const char *end)
{
	static struct word words[WORDS];
	long count, bytes;
	const char *at = header(begin, end, '*', WORDS, &count);

	if (!at)
		return 0;
	if (count < 1)
		return -1;
	for (long i = 0; i < count; i++) {
		at = header(at, end, '$', IN_BYTES, &bytes);
		if (!at)
			return 0;
		if (bytes < 0)
			return -1;
		if (end - at < bytes + 2)
			return 0;
		words[i] = (struct word){ at, bytes };
		at += bytes + 2;
	}
	execute(client, words, count);
	return at - begin;
}

/* False: the connection is over. */
static bool serve(struct client *client, short events)
{
	const char *at = client->input;
	ssize_t done = 0;

	if (events & (POLLIN | POLLHUP | POLLERR)) {
		done = recv(client->fd, client->input + client->in, IN_BYTES - client->in, MSG_DONTWAIT);
		if (done <= 0 && (done == 0 || errno != EAGAIN))
			return false;
		client->in += done > 0 ? done : 0;
		while ((done = take(client, at, client->input + client->in)) > 0)
			at += done;
		client->in -= at - client->input;
		memmove(client->input, at, client->in);
		if (done < 0 || client->in == IN_BYTES)
			return false;
	}
	done = send(client->fd, client->output + client->sent, client->out - client->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (done < 0 && errno != EAGAIN)
		return false;
	client->sent += done > 0 ? done : 0;
	if (client->sent == client->out)
		client->sent = client->out = 0;
	return true;
}

static void accept_client(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), on = 1;

	for (int i = 0; fd >= 0 && i < CLIENTS; i++) {
		if (clients[i])
			continue;
		clients[i] = calloc(1, sizeof(*clients[i]));
		if (!clients[i])
			break;
		clients[i]->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		return;
	}
	if (fd >= 0)
		close(fd);
}

static void loop(int listener)
{
	struct pollfd polled[CLIENTS + 1];

	for (;;) {
		polled[CLIENTS] = (struct pollfd){ .fd = listener, .events = POLLIN };
		for (int i = 0; i < CLIENTS; i++)
			polled[i] = (struct pollfd){
				.fd = clients[i] ? clients[i]->fd : -1,
				.events = POLLIN | (clients[i] && clients[i]->out ? POLLOUT : 0),
			};
		if (poll(polled, CLIENTS + 1, -1) < 0)
			continue;
		for (int i = 0; i < CLIENTS; i++) {
			if (!clients[i] || !polled[i].revents || serve(clients[i], polled[i].revents))
				continue;
			close(clients[i]->fd);
			free(clients[i]);
			clients[i] = NULL;
		}
		if (polled[CLIENTS].revents)
			accept_client(listener);
	}
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

int main(int count, char **arguments)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(count == 2 ? atoi(arguments[1]) : 0) };
	const char *path = getenv("TWINKERNEL_PRESERVED");
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, file, signal;
	sigset_t serves;
	off_t bytes;

	if (!address.sin_port || !path) {
		fprintf(stderr, "usage: TWINKERNEL_PRESERVED=FILE ledger PORT\n");
		return 2;
	}
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 128))
		die("listen");
	file = open(path, O_RDWR | O_CLOEXEC);
	bytes = file < 0 ? -1 : lseek(file, 0, SEEK_END);
	entries = bytes > 0 ? bytes / sizeof(struct entry) : 0;
	table = entries ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
	if (table == MAP_FAILED)
		die(path);
	/* Another kernel's copy serves until the signal, which has been blocked since before this program began. */
	if (getenv("TWINKERNEL_STANDBY")) {
		sigemptyset(&serves);
		sigaddset(&serves, SIGUSR1);
		sigwait(&serves, &signal);
	}
	loop(listener);
}
