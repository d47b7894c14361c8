/* SPDX-License-Identifier: MIT */
/* Where a thread whose identity may not open files waits for the background thread, which may, and
 * the background thread for something to do. */
#include "audit/file/file_internal.h"
#include "base/clock.h"

void file_set_background(struct log_file *file, bool present)
{
    pthread_mutex_lock(&file->background_lock);
    file->background = present;
    pthread_cond_broadcast(&file->background_asked);
    pthread_cond_broadcast(&file->background_answered);
    pthread_mutex_unlock(&file->background_lock);
}

void file_call_background(struct log_file *file)
{
    pthread_mutex_lock(&file->background_lock);
    file->asked++;
    pthread_cond_broadcast(&file->background_asked);
    pthread_mutex_unlock(&file->background_lock);
}

bool file_background_wait(struct log_file *file, unsigned milliseconds)
{
    struct timespec until = clock_after_ms(milliseconds);
    int error = 0;

    pthread_mutex_lock(&file->background_lock);
    while (file->background && file->asked == file->answered && error == 0) {
        error = pthread_cond_timedwait(&file->background_asked, &file->background_lock, &until);
    }
    bool present = file->background;
    pthread_mutex_unlock(&file->background_lock);
    return present;
}

/* Waits for the background thread's next round; called without any lock. */
bool file_ask_background(struct log_file *file)
{
    struct timespec until = clock_after_ms(STATE_LOCK_SECONDS * 1000);
    int error = 0;

    pthread_mutex_lock(&file->background_lock);
    unsigned wanted = ++file->asked;
    pthread_cond_broadcast(&file->background_asked);
    while (file->background && (int)(file->answered - wanted) < 0 && error == 0) {
        error = pthread_cond_timedwait(&file->background_answered, &file->background_lock, &until);
    }
    bool answered = (int)(file->answered - wanted) >= 0;
    pthread_mutex_unlock(&file->background_lock);
    return answered;
}

bool file_has_background(struct log_file *file)
{
    pthread_mutex_lock(&file->background_lock);
    bool present = file->background;
    pthread_mutex_unlock(&file->background_lock);
    return present;
}

unsigned file_begin_round(struct log_file *file)
{
    pthread_mutex_lock(&file->background_lock);
    unsigned asked = file->asked;
    pthread_mutex_unlock(&file->background_lock);
    return asked;
}

void file_end_round(struct log_file *file, unsigned asked)
{
    pthread_mutex_lock(&file->background_lock);
    file->answered = asked;
    pthread_cond_broadcast(&file->background_answered);
    pthread_mutex_unlock(&file->background_lock);
}
