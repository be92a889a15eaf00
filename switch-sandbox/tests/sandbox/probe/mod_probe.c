/* A module that does what a dialer does and writes down everything the host does with it.
 *
 * It declares the host's interface itself: the sandbox is tested on machines that have no
 * FreeSWITCH headers. Built by the tests, with one of these for a module that cannot be loaded:
 * LOAD_FAILS, NO_INTERFACE, OLD_API, MISSING_SYMBOL. */

#define _GNU_SOURCE
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct session session;
typedef struct channel channel;
typedef struct pool pool;
typedef struct event event;
typedef struct profile profile;
typedef struct xml xml;
typedef struct frame frame;
typedef struct interface interface;
typedef struct stream stream;
typedef struct { char digit; uint32_t duration; int32_t flags; unsigned source; } dtmf;
typedef unsigned (*state_handler)(session *);
typedef unsigned (*input_callback)(session *, void *, unsigned, void *, unsigned);

struct stream {
	uint8_t *(*read)(stream *, int *);
	unsigned (*write)(stream *, const char *, ...);
	unsigned (*raw_write)(stream *, uint8_t *, size_t);
};

typedef struct {
	const char *name, *desc;
	unsigned (*function)(const char *, session *, stream *);
	const char *syntax;
} api;

typedef struct {
	state_handler init, routing, execute, hangup, exchange_media, soft_execute, consume_media, hibernate, reset, park,
		reporting, destroy;
	int flags;
	void *padding[10];
} table;

typedef struct {
	char *from;
	unsigned id;
} message;

typedef struct {
	input_callback callback;
	void *buf;
	uint32_t buflen;
	void *frame_callback, *user_data, *dmachine;
	int loops;
} input_args;

interface *switch_loadable_module_create_module_interface(pool *, const char *);
void *switch_loadable_module_create_interface(interface *, unsigned);
void switch_log_printf(unsigned, const char *, const char *, int, const char *, int, const char *, ...);
unsigned switch_console_set_complete(const char *);
xml *switch_xml_open_cfg(const char *, xml **, event *);
char *switch_xml_toxml_ex(xml *, unsigned, unsigned);
void switch_xml_free(xml *);
char *switch_core_get_variable_dup(const char *);
const char *switch_version_full(void);
int64_t switch_time_now(void);
uint32_t switch_core_session_count(void);
unsigned switch_core_perform_new_memory_pool(pool **, const char *, const char *, int);
unsigned switch_core_perform_destroy_memory_pool(pool **, const char *, const char *, int);
unsigned switch_event_create_subclass_detailed(const char *, const char *, int, event **, unsigned, const char *);
unsigned switch_event_add_header_string(event *, unsigned, const char *, const char *);
void switch_event_destroy(event **);
profile *switch_caller_profile_new(pool *, const char *, const char *, const char *, const char *, const char *,
								   const char *, const char *, const char *, const char *, const char *, const char *);
unsigned switch_core_session_outgoing_channel(session *, event *, const char *, profile *, session **, pool **, unsigned,
											  unsigned *);
channel *switch_core_session_get_channel(session *);
char *switch_core_session_get_uuid(session *);
unsigned switch_core_session_thread_launch(session *);
session *switch_core_session_perform_locate(const char *, const char *, const char *, int);
void switch_core_session_rwunlock(session *);
void switch_core_session_perform_destroy(session **, const char *, const char *, int);
unsigned switch_core_session_read_frame(session *, frame **, unsigned, int);
int switch_channel_add_state_handler(channel *, const table *);
unsigned switch_channel_set_variable_var_check(channel *, const char *, const char *, unsigned);
const char *switch_channel_get_variable_dup(channel *, const char *, unsigned, int);
unsigned switch_channel_perform_hangup(channel *, const char *, const char *, int, unsigned);
unsigned switch_channel_perform_set_state(channel *, const char *, const char *, int, unsigned);
unsigned switch_channel_get_state(channel *);
int switch_channel_test_ready(channel *, unsigned, unsigned);
unsigned switch_channel_get_cause(channel *);
const char *switch_channel_cause2str(unsigned);
size_t switch_channel_has_dtmf(channel *);
unsigned switch_channel_dequeue_dtmf(channel *, dtmf *);
unsigned switch_core_event_hook_add_receive_message(session *, unsigned (*)(session *, message *));
unsigned switch_core_event_hook_add_recv_dtmf(session *, unsigned (*)(session *, const dtmf *, unsigned));
unsigned switch_ivr_play_file(session *, void *, const char *, input_args *);
unsigned switch_ivr_parse_all_events(session *);

enum { SUCCESS = 0, FAILED = 1, BREAK = 11 };
enum { CS_EXECUTE = 4, CS_HIBERNATE = 8 };
enum { NORMAL_CLEARING = 16, MANAGER_REQUEST = 703, CAUSE_SUCCESS = 142 };
enum { API_INTERFACE = 5, CHANNEL_DATA = 63, STACK_BOTTOM = 1 };
enum { ANSWER_EVENT = 54, PROGRESS_EVENT = 55, RING_EVENT = 56 };

#define HERE __FILE__, __func__, __LINE__

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char *journal;
static size_t journal_length;
static char play[256];
static char swallowed;
static int live;

/* One line: uuid, thread, what. */
static void note(session *s, const char *fmt, ...)
{
	char text[512], line[640];
	va_list arguments;
	int length;

	va_start(arguments, fmt);
	vsnprintf(text, sizeof(text), fmt, arguments);
	va_end(arguments);
	length = snprintf(line, sizeof(line), "%s %d %s\n", switch_core_session_get_uuid(s), gettid(), text);
	pthread_mutex_lock(&mutex);
	journal = realloc(journal, journal_length + (size_t) length + 1);
	memcpy(journal + journal_length, line, (size_t) length + 1);
	journal_length += (size_t) length;
	pthread_mutex_unlock(&mutex);
}

static const char *variable(session *s, const char *name)
{
	const char *value = switch_channel_get_variable_dup(switch_core_session_get_channel(s), name, 1, -1);
	return value ? value : "-";
}

static unsigned on_init(session *s)
{
	note(s, "init");
	return SUCCESS;
}

static unsigned on_routing(session *s)
{
	note(s, "routing");
	switch_channel_perform_set_state(switch_core_session_get_channel(s), HERE, CS_HIBERNATE);
	return FAILED;
}

/* An answer that came before the session went to sleep is not announced again. */
static unsigned on_hibernate(session *s)
{
	note(s, "hibernate");
	if (!strcmp(variable(s, "endpoint_disposition"), "ANSWER")) {
		switch_channel_perform_set_state(switch_core_session_get_channel(s), HERE, CS_EXECUTE);
	}
	return SUCCESS;
}

static unsigned on_digit_played(session *s, void *input, unsigned type, void *buf, unsigned buflen)
{
	char digit = ((dtmf *) input)->digit;

	note(s, "callback %c type %u buf %s %u", digit, type, (char *) buf, buflen);
	return digit == '#' ? BREAK : SUCCESS;
}

static unsigned on_execute(session *s)
{
	channel *c = switch_core_session_get_channel(s);
	input_args args = { .callback = on_digit_played, .buf = "own", .buflen = 3 };
	int64_t begun = switch_time_now();
	unsigned status;
	frame *f;
	dtmf digit;
	int frames = 0;

	note(s, "execute ready %d media %d", switch_channel_test_ready(c, 1, 0), switch_channel_test_ready(c, 1, 1));
	status = switch_ivr_play_file(s, NULL, play, &args);
	note(s, "played %u in %d ms, loops %d", status, (int) ((switch_time_now() - begun) / 1000), args.loops);
	begun = switch_time_now();
	while (frames < 50 && switch_core_session_read_frame(s, &f, 0, 0) == SUCCESS) {
		frames++;
	}
	note(s, "read %d frames in %d ms", frames, (int) ((switch_time_now() - begun) / 1000));
	while (switch_channel_has_dtmf(c) && switch_channel_dequeue_dtmf(c, &digit) == SUCCESS) {
		note(s, "dequeued %c source %u", digit.digit, digit.source);
	}
	switch_channel_perform_hangup(c, HERE, NORMAL_CLEARING);
	return FAILED;
}

static unsigned on_hangup(session *s)
{
	note(s, "hangup %s", switch_channel_cause2str(switch_channel_get_cause(switch_core_session_get_channel(s))));
	return SUCCESS;
}

static unsigned on_reporting(session *s)
{
	note(s, "reporting status %s phrase %s term %s disposition %s call-id %s", variable(s, "sip_invite_failure_status"),
		 variable(s, "sip_invite_failure_phrase"), variable(s, "sip_term_status"), variable(s, "sip_hangup_disposition"),
		 strcmp(variable(s, "sip_call_id"), "-") ? "set" : "-");
	return SUCCESS;
}

static unsigned on_destroy(session *s)
{
	note(s, "destroy");
	__atomic_sub_fetch(&live, 1, __ATOMIC_SEQ_CST);
	return SUCCESS;
}

static const table handlers = {
	.init = on_init, .routing = on_routing, .execute = on_execute, .hangup = on_hangup, .hibernate = on_hibernate,
	.reporting = on_reporting, .destroy = on_destroy,
};

static unsigned on_message(session *s, message *m)
{
	const char *name = m->id == ANSWER_EVENT ? "answer" : m->id == RING_EVENT ? "ring" : m->id == PROGRESS_EVENT ? "progress" : "?";

	note(s, "message %s", name);
	if (m->id == ANSWER_EVENT) {
		switch_channel_perform_set_state(switch_core_session_get_channel(s), HERE, CS_EXECUTE);
	}
	return SUCCESS;
}

static unsigned on_digit(session *s, const dtmf *d, unsigned direction)
{
	note(s, "digit %c direction %u", d->digit, direction);
	return d->digit == swallowed ? FAILED : SUCCESS;
}

/* Makes a session for `destination`; the cause says why not. */
static unsigned make(const char *endpoint, const char *destination, const char *uuid, session **made)
{
	pool *p = NULL;
	event *variables = NULL;
	profile *caller;
	unsigned cause, cancel = 0;

	switch_core_perform_new_memory_pool(&p, HERE);
	switch_event_create_subclass_detailed(HERE, &variables, CHANNEL_DATA, NULL);
	if (uuid) {
		switch_event_add_header_string(variables, STACK_BOTTOM, "origination_uuid", uuid);
	}
	caller = switch_caller_profile_new(p, "probe", "", "Probe", "+15550100", NULL, NULL, NULL, NULL, "mod_probe", "", destination);
	cause = switch_core_session_outgoing_channel(NULL, variables, endpoint, caller, made, &p, 0, &cancel);
	switch_event_destroy(&variables);
	if (p) {
		switch_core_perform_destroy_memory_pool(&p, HERE);
	}
	return cause;
}

static void prepare(session *s)
{
	channel *c = switch_core_session_get_channel(s);

	__atomic_add_fetch(&live, 1, __ATOMIC_SEQ_CST);
	switch_core_event_hook_add_receive_message(s, on_message);
	switch_core_event_hook_add_recv_dtmf(s, on_digit);
	switch_channel_add_state_handler(c, &handlers);
	switch_channel_add_state_handler(c, &handlers);
	switch_channel_set_variable_var_check(c, "probe_unsafe", "${x}", 1);
	switch_channel_set_variable_var_check(c, "probe_mark", "set", 1);
}

static void call(stream *out, const char *number)
{
	char destination[128];
	session *s = NULL;
	unsigned cause;

	snprintf(destination, sizeof(destination), "gateway/chime/%s", number);
	if ((cause = make("sofia", destination, NULL, &s)) != CAUSE_SUCCESS) {
		out->write(out, "-ERR %s\n", switch_channel_cause2str(cause));
		return;
	}
	prepare(s);
	out->write(out, "%s\n", switch_core_session_get_uuid(s));
	switch_core_session_thread_launch(s);
}

struct racer { char uuid[64]; unsigned cause; };

static void *race_one(void *data)
{
	struct racer *r = data;
	session *s = switch_core_session_perform_locate(r->uuid, HERE);

	if (s) {
		switch_channel_perform_hangup(switch_core_session_get_channel(s), HERE, r->cause);
		switch_core_session_rwunlock(s);
	}
	free(r);
	return NULL;
}

/* Starts `count` calls and hangs each up from four threads at once, at a moment of its own. */
static void race(const char *number, int count)
{
	char destination[128];
	int i, j;

	snprintf(destination, sizeof(destination), "gateway/chime/%s", number);
	for (i = 0; i < count; i++) {
		pthread_t threads[4];
		session *s = NULL;
		char uuid[64];

		if (make("sofia", destination, NULL, &s) != CAUSE_SUCCESS) {
			abort();
		}
		prepare(s);
		snprintf(uuid, sizeof(uuid), "%s", switch_core_session_get_uuid(s));
		if (i % 3) {
			switch_core_session_thread_launch(s);
		}
		usleep((unsigned) (i % 7) * 300);
		for (j = 0; j < 4; j++) {
			struct racer *r = malloc(sizeof(*r));

			strcpy(r->uuid, uuid);
			r->cause = (unsigned) (16 + j);
			pthread_create(&threads[j], NULL, race_one, r);
		}
		for (j = 0; j < 4; j++) {
			pthread_join(threads[j], NULL);
		}
	}
}

static void ring(const char *number, int count)
{
	char destination[128];
	session *s;

	snprintf(destination, sizeof(destination), "gateway/chime/%s", number);
	while (count-- && make("sofia", destination, NULL, &s) == CAUSE_SUCCESS) {
		prepare(s);
		switch_core_session_thread_launch(s);
	}
}

static void hang_up(const char *uuid)
{
	session *s = switch_core_session_perform_locate(uuid, HERE);

	if (s) {
		switch_channel_perform_hangup(switch_core_session_get_channel(s), HERE, MANAGER_REQUEST);
		switch_core_session_rwunlock(s);
	}
}

static void config(stream *out)
{
	xml *node = NULL, *root = switch_xml_open_cfg("probe.conf", &node, NULL);
	char *text;

	if (!root) {
		out->write(out, "-ERR none\n");
		return;
	}
	text = switch_xml_toxml_ex(node, 0, 1);
	out->write(out, "%s\n", text);
	free(text);
	switch_xml_free(root);
}

static void misuse(const char *how)
{
	event *e = NULL, *again;
	session *s = NULL;

	switch_event_create_subclass_detailed(HERE, &e, CHANNEL_DATA, NULL);
	again = e;
	make("sofia", "gateway/chime/+15005550004", NULL, &s);
	if (!strcmp(how, "event-twice")) {
		switch_event_destroy(&e);
		switch_event_destroy(&again);
	} else if (!strcmp(how, "session-after-end")) {
		session *gone = s;

		switch_core_session_perform_destroy(&s, HERE);
		switch_core_session_get_uuid(gone);
	} else if (!strcmp(how, "session-as-channel")) {
		switch_channel_get_state((channel *) s);
	} else if (!strcmp(how, "unlock-unlocked")) {
		switch_core_session_rwunlock(s);
	} else if (!strcmp(how, "state-back")) {
		switch_channel_perform_set_state(switch_core_session_get_channel(s), HERE, 12);
	}
}

static unsigned probe(const char *cmd, session *none, stream *out)
{
	static session *held;
	char what[64] = "", first[128] = "", second[64] = "";
	session *s = NULL;

	(void) none;
	if (!cmd) {
		out->write(out, "no arguments\n");
		return SUCCESS;
	}
	sscanf(cmd, "%63s %127s %63s", what, first, second);
	if (!strcmp(what, "call")) {
		call(out, first);
	} else if (!strcmp(what, "journal")) {
		pthread_mutex_lock(&mutex);
		out->raw_write(out, (uint8_t *) journal, journal_length);
		pthread_mutex_unlock(&mutex);
	} else if (!strcmp(what, "play")) {
		snprintf(play, sizeof(play), "%s", first);
	} else if (!strcmp(what, "swallow")) {
		swallowed = *first;
	} else if (!strcmp(what, "hangup")) {
		hang_up(first);
	} else if (!strcmp(what, "race")) {
		race(first, atoi(second));
	} else if (!strcmp(what, "ring")) {
		ring(first, atoi(second));
	} else if (!strcmp(what, "hold")) {
		held = switch_core_session_perform_locate(first, HERE);
		out->write(out, "%s\n", held ? "held" : "not there");
	} else if (!strcmp(what, "release")) {
		switch_core_session_rwunlock(held);
	} else if (!strcmp(what, "make")) {
		unsigned cause = make(first, strcmp(second, "-") ? second : "", NULL, &s);

		out->write(out, "%s %u\n", switch_channel_cause2str(cause), switch_core_session_count());
		if (s) {
			switch_core_session_perform_destroy(&s, HERE);
		}
	} else if (!strcmp(what, "twice")) {
		session *other = NULL;
		unsigned cause;

		make("sofia", "gateway/chime/1", "the-uuid", &s);
		cause = make("sofia", "gateway/chime/1", "the-uuid", &other);
		out->write(out, "%s then %s\n", switch_core_session_get_uuid(s), switch_channel_cause2str(cause));
		switch_core_session_perform_destroy(&s, HERE);
	} else if (!strcmp(what, "variables")) {
		make("sofia", "gateway/chime/1", NULL, &s);
		prepare(s);
		out->write(out, "%s %s %s %s\n", variable(s, "probe_mark"), variable(s, "probe_unsafe"),
				   variable(s, "destination_number"), variable(s, "probe_global"));
		switch_core_session_perform_destroy(&s, HERE);
	} else if (!strcmp(what, "config")) {
		config(out);
	} else if (!strcmp(what, "host")) {
		char *rate = switch_core_get_variable_dup("sandbox_clock_rate"), *no = switch_core_get_variable_dup("none");

		out->write(out, "%s %s %s\n", switch_version_full(), rate, no ? no : "-");
		free(rate);
		free(no);
	} else if (!strcmp(what, "log")) {
		switch_log_printf(0, HERE, NULL, 4, "%s", cmd);
	} else if (!strcmp(what, "misuse")) {
		misuse(first);
	} else {
		return FAILED;
	}
	return SUCCESS;
}

#ifdef MISSING_SYMBOL
void switch_that_nobody_has(void);
#endif

static unsigned load(interface **made, pool *p)
{
	api *command;

#ifdef MISSING_SYMBOL
	switch_that_nobody_has();
#endif
#ifdef LOAD_FAILS
	return FAILED;
#endif
#ifdef NO_INTERFACE
	return SUCCESS;
#endif
	snprintf(play, sizeof(play), "silence_stream://3000");
	*made = switch_loadable_module_create_module_interface(p, "mod_probe");
	command = switch_loadable_module_create_interface(*made, API_INTERFACE);
	command->name = "probe";
	command->desc = "Probe";
	command->syntax = "probe";
	command->function = probe;
	switch_console_set_complete("add probe call");
	switch_console_set_complete("add probe hangup ::console::list_uuid");
	return SUCCESS;
}

/* Hangs up every call that has written to the journal. */
static void hang_up_all(void)
{
	char *lines, *next;

	pthread_mutex_lock(&mutex);
	lines = journal ? strdup(journal) : NULL;
	pthread_mutex_unlock(&mutex);
	for (next = lines; next && *next; next = strchr(next, '\n') + 1) {
		char uuid[64] = "";

		sscanf(next, "%63s", uuid);
		hang_up(uuid);
	}
	free(lines);
}

/* Ends its calls before the host closes the library under them. One whose thread has not run yet is not in
 * the journal: it is as soon as it does. */
static unsigned unload(void)
{
	while (__atomic_load_n(&live, __ATOMIC_SEQ_CST)) {
		hang_up_all();
		usleep(1000);
	}
	free(journal);
	journal = NULL;
	journal_length = 0;
	switch_console_set_complete("del probe");
	return SUCCESS;
}

struct { int api_version; void *load, *shutdown, *runtime; unsigned flags; } mod_probe_module_interface = {
#ifdef OLD_API
	4,
#else
	5,
#endif
	load, unload, NULL, 0,
};
