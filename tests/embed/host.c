/* A program with a main loop of its own and a plug-in in Python, for tests of hotswap.
 *
 * The thread that initialises Python never runs a line of it: it waits for a
 * line on its standard input. "end" ends the plug-in and Python; "again" does
 * so and initialises Python once more; "leave" ends the process and does not
 * finalise; "abandon" finalises while the plug-in is in the middle of its loop.
 *
 * The part between the two marks is shown in docs/embedding.md. */
#include <Python.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The embedding, as in the documentation. */
static PyThreadState *start_python(void) {
    Py_InitializeEx(0);            /* 0: no signal handlers */
    return PyEval_SaveThread();    /* the main loop needs no Python */
}

static void *run_plugin(void *code) {          /* in a thread of the host's */
    PyGILState_STATE held = PyGILState_Ensure();
    if (PyRun_SimpleString(code) != 0)         /* import hotswap; hotswap.watch(...); ... */
        fprintf(stderr, "the plug-in has failed\n");
    PyGILState_Release(held);
    return NULL;
}

static int end_python(PyThreadState *saved) {  /* in the thread that started it */
    PyEval_RestoreThread(saved);
    return Py_FinalizeEx();                    /* hotswap's thread ends here */
}
/* The end of the part in the documentation. */

/* What the user's host does meanwhile: counts its turns, and takes any wait that
 * is cut short as a fault, as hosts with a loop of their own may. */
static void main_loop(char *word, size_t room) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    for (;;) {
        int ready = poll(&input, 1, 10);
        if (ready < 0) {
            perror("host: the main loop was interrupted");
            exit(3);
        }
        if (ready > 0) {
            ssize_t count = read(STDIN_FILENO, word, room - 1);
            word[count > 0 ? count : 0] = '\0';
            word[strcspn(word, "\n")] = '\0';
            return;
        }
    }
}

int main(int count, char **words) {
    const char *begin = words[1], *finish = words[2];
    if (count != 3) return 2;
    char word[16];
    int life = 0;
    do {
        PyThreadState *saved = start_python();
        pthread_t thread;
        pthread_create(&thread, NULL, run_plugin, (void *)begin);
        printf("host: main thread %lu\n", PyThread_get_thread_ident());
        printf("host: life %d\n", ++life);
        fflush(stdout);
        main_loop(word, sizeof word);
        if (strcmp(word, "leave") == 0) return 0;
        if (strcmp(word, "abandon") != 0) {
            /* The plug-in's own way to be told, from yet another thread. */
            pthread_t messenger;
            pthread_create(&messenger, NULL, run_plugin, (void *)finish);
            pthread_join(messenger, NULL);
            pthread_join(thread, NULL);
        }
        printf("host: finalised %d\n", end_python(saved));
        fflush(stdout);
    } while (strcmp(word, "again") == 0);
    printf("host: end\n");
    return 0;
}
