/* SPDX-License-Identifier: MIT */
/* Where a thread whose identity may not open files waits for the background thread, which may, and
 * the background thread for something to do. */
#include "audit/file/file_internal.h"
#include "base/clock.h"

/* Wakes both sides: a thread that waits for a round which will not come any more must go on
 * alone. */
void file_set_background(struct log_file *file, bool present)
{
    pthread_mutex_lock(&file->background_lock);
    file->background = present;
    pthread_cond_broadcast(&file->background_asked);
    pthread_cond_broadcast(&file->background_answered);
    pthread_mutex_unlock(&file->background_lock);
}

/* For what can wait: the caller goes on, and the thread rotates when it comes round. */
void file_call_background(struct log_file *file)
{
    pthread_mutex_lock(&file->background_lock);
    file->asked++;
    pthread_cond_broadcast(&file->background_asked);
    pthread_mutex_unlock(&file->background_lock);
}

/* Returns at once while a question is open, since one may have come during the round before. */
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

/* Waits for the background thread's next round; called without any lock. The comparison of the
 * counts by their difference stays right when they pass UINT_MAX. Waits as long as for the lock of
 * the log at most. */
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

/* Counted before the work: a question that comes during it may need what was done already, and gets
 * a round of its own. */
unsigned file_begin_round(struct log_file *file)
{
    pthread_mutex_lock(&file->background_lock);
    unsigned asked = file->asked;
    pthread_mutex_unlock(&file->background_lock);
    return asked;
}

/* asked is what file_begin_round() gave. */
void file_end_round(struct log_file *file, unsigned asked)
{
    pthread_mutex_lock(&file->background_lock);
    file->answered = asked;
    pthread_cond_broadcast(&file->background_answered);
    pthread_mutex_unlock(&file->background_lock);
}
