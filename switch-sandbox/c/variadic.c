/* The functions of the host that take a variable number of arguments: stable Rust can call
 * such functions and not define them. Each formats its text and hands it to Rust. */

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* src/abi/log.rs */
void sandbox_log(int channel, const char *file, int line, const char *userdata, int level, const char *text);
/* src/abi/stream.rs */
unsigned int sandbox_stream_append(void *handle, const char *text, size_t length);

static int format(char **text, const char *fmt, va_list arguments)
{
	va_list again;
	int length;

	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (length < 0 || !(*text = malloc((size_t) length + 1))) {
		return -1;
	}
	return vsnprintf(*text, (size_t) length + 1, fmt, arguments);
}

void switch_log_printf(unsigned int channel, const char *file, const char *func, int line, const char *userdata,
					   int level, const char *fmt, ...)
{
	va_list arguments;
	char *text = NULL;

	(void) func;
	va_start(arguments, fmt);
	if (format(&text, fmt, arguments) >= 0) {
		sandbox_log((int) channel, file, line, userdata, level, text);
		free(text);
	}
	va_end(arguments);
}

unsigned int sandbox_stream_write(void *handle, const char *fmt, ...)
{
	va_list arguments;
	char *text = NULL;
	unsigned int status = 6; /* SWITCH_STATUS_MEMERR */
	int length;

	va_start(arguments, fmt);
	if ((length = format(&text, fmt, arguments)) >= 0) {
		status = sandbox_stream_append(handle, text, (size_t) length);
		free(text);
	}
	va_end(arguments);
	return status;
}
