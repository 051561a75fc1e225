"""Jobs start, end, fail and go back to the queue."""

from __future__ import annotations

import numpy as np

from capsim.jit import kernel
from capsim.kernel.bits import ZERO
from capsim.kernel.domains import (
    free_account,
    kind_account,
    move_level,
    piece_free,
    piece_leave_domain,
    refresh_last,
    set_free,
    set_last_only,
    spare_account,
    whole_change,
)
from capsim.kernel.ends import ends_add, ends_remove
from capsim.kernel.heap import heap_push
from capsim.kernel.hooks import BEGIN, OVER, QUEUE, STOP_RUN, tell
from capsim.kernel.placement import PACK_TENANT, find_site, take_site, take_span
from capsim.kernel.preemptible import list_running, note_restart, standing, unlist
from capsim.kernel.progress import (
    COMPLETE,
    FAILED,
    checkpoint_interval,
    close_segment,
    job_rate,
    plan_end,
    segment_estimate,
    wall_time,
)
from capsim.kernel.queue import queue_insert, queue_remove
from capsim.kernel.state import FINISH, KEY_SHIFT
from capsim.kernel.whole import domain_bit, give_word, is_alone, leave_whole
from capsim.tables import AT_LIMIT, DONE, NEVER, RUNNING, WAITING


@kernel()
def least_duration(s, j):
    """The estimate of what is left of job j at the best speed that its class has now, with its restart."""
    job, run = s.jobs[j], s.runs[j]
    best = 0.0
    base = np.int64(job.cls) * s.pools.shape[0]
    for p in range(s.pools.shape[0]):
        best = max(best, s.places[base + p].speed)
    best *= job.size_max / job.size_ref
    duration = run.request_left if best == 1.0 else np.int64(run.request_left / max(best, 1e-300))
    return duration + max(np.int64(0), run.overhead_ms)


@kernel()
def enqueue(s, j):
    """Put a job into the queue at its rank."""
    c = s.clock[0]
    job, run = s.jobs[j], s.runs[j]
    run.state = WAITING
    run.queued = c.now
    run.shortest = least_duration(s, j)
    c.queued += 1
    c.happened = 1
    s.count[0].longest_queue = max(s.count[0].longest_queue, np.int64(c.queued))
    if tell(s, QUEUE, j) != 0:
        return
    queue_insert(s, np.int64(run.rank), np.int64(job.size_min), run.shortest)
    s.classes[job.cls].waiting += 1
    c.first_new = min(c.first_new, run.rank)


@kernel()
def dequeue(s, j):
    queue_remove(s, np.int64(s.runs[j].rank))
    s.classes[s.jobs[j].cls].waiting -= 1
    s.clock[0].queued -= 1


@kernel()
def bind_ends(s, j):
    """Enter a gang's estimated end into its domains and into the lists of its sites."""
    end = s.runs[j].est_end
    site, weight = np.int64(-1), np.int64(0)
    p = np.int64(s.runs[j].first_piece)
    while p >= 0:
        d = np.int64(s.pieces[p].domain)
        dom = s.doms[d]
        if dom.site != site:
            if site >= 0:
                ends_add(s, site, end, j, weight)
            site, weight = np.int64(dom.site), np.int64(0)
        last = dom.last_end
        if last != NEVER and (end > last or (end == last and j > dom.last_job)):
            if dom.last_job >= 0:
                ends_add(s, site, last, np.int64(dom.last_job), -1)
            set_last_only(s, site, d, end, j)
            weight += 1
        p = np.int64(s.pieces[p].next)
    if site >= 0:
        ends_add(s, site, end, j, weight)


@kernel()
def shift_weight(s, site, j, old, end, weight):
    """Move the weight of a gang's domains of a site from its old estimated end to the new one."""
    if weight > 0:
        ends_add(s, site, old, j, -weight)
        ends_add(s, site, end, j, weight)


@kernel()
def move_estimate(s, j, end):
    """Change a running gang's estimated end everywhere."""
    run = s.runs[j]
    old = run.est_end
    run.est_end = end
    if not s.clock[0].easy:
        return
    s.clock[0].rebuild = 1
    s.clock[0].dirty = 1
    if end == old:
        return
    run.weight_due = 0
    site, first, weight = np.int64(-1), np.int64(-1), np.int64(0)
    p = np.int64(run.first_piece)
    while p >= 0:
        piece = s.pieces[p]
        d = np.int64(piece.domain)
        dom = s.doms[d]
        if dom.site != site:
            shift_weight(s, site, j, old, end, weight)
            site, weight = np.int64(dom.site), np.int64(0)
            ends_add(s, site, end, j, 0)
            if first < 0:
                first = site
        if dom.last_job == j:
            set_last_only(s, site, d, end, j)
            weight += 1
        if piece.next_here >= 0 or piece.prev_here >= 0:
            refresh_last(s, site, d)
        p = np.int64(piece.next)
    shift_weight(s, site, j, old, end, weight)
    if first == site and run.site == site:
        ends_remove(s, site, old, j)
        return
    site = np.int64(-1)
    p = np.int64(run.first_piece)
    while p >= 0:
        d = np.int64(s.pieces[p].domain)
        if s.doms[d].site != site:
            site = np.int64(s.doms[d].site)
            ends_remove(s, site, old, j)
        p = np.int64(s.pieces[p].next)


@kernel()
def book_chips(s, site, d, kind, used, spare):
    """Chips of domains of a site, among them ``d``, are allocated from free, or given back (negative)."""
    kind_account(s, site, kind, used)
    if spare != 0:
        spare_account(s, site, spare)
    free_account(s, site, d, -(used + spare))


@kernel()
def book_start(s, j, site, n):
    """Book the chips of a gang that has just been placed: no domain of it is leaving."""
    kind = np.int64(s.classes[s.jobs[j].cls].kind)
    p = np.int64(s.runs[j].first_piece)
    if site >= 0:
        st = s.sites[site]
        spare = np.int64(0)
        if n > st.domain_chips:
            spare = n // st.segment * np.int64(st.domain_chips - st.segment)
        book_chips(s, site, np.int64(s.pieces[p].domain), kind, n, spare)
        return
    while p >= 0:
        piece = s.pieces[p]
        d = np.int64(piece.domain)
        book_chips(s, np.int64(s.doms[d].site), d, kind, np.int64(piece.chips), np.int64(piece.spare))
        p = np.int64(piece.next)


@kernel()
def leave_domain(s, site, d):
    """A leaving domain without holders is gone: its chips are no longer active."""
    dom, st = s.doms[d], s.sites[site]
    if not dom.leaving or dom.first_piece >= 0:
        return
    now = s.clock[0].now
    free, broken = np.int64(dom.free), np.int64(dom.broken)
    free_account(s, site, d, -free)
    st.broken -= broken
    st.broken_acc += broken * now
    st.active -= free + broken
    st.active_acc += (free + broken) * now
    s.pools[st.pool].active -= free + broken
    s.clock[0].capacity += 1
    dom.free, dom.broken, dom.active, dom.leaving = 0, 0, 0, 0
    s.tranches[dom.tranche].left += 1


@kernel()
def give_back(s, j):
    """Free all pieces of a gang and book their chips."""
    easy = s.clock[0].easy
    run = s.runs[j]
    kind = np.int64(s.classes[s.jobs[j].cls].kind)
    site, block, gained = np.int64(-1), np.int64(-1), np.int64(0)
    used, spare, staying = np.int64(0), np.int64(0), np.int64(-1)
    w, mask = np.int64(-1), ZERO
    p = np.int64(run.first_piece)
    while p >= 0:
        piece = s.pieces[p]
        d = np.int64(piece.domain)
        after = np.int64(piece.next)
        dom = s.doms[d]
        if dom.site != site:
            if w >= 0:
                give_word(s, site, w, mask)
                w = np.int64(-1)
            if staying >= 0:
                book_chips(s, site, staying, kind, -used, -spare)
                used, spare, staying = np.int64(0), np.int64(0), np.int64(-1)
            site = np.int64(dom.site)
            if easy:
                ends_remove(s, site, run.est_end, j)
        if dom.block != block:
            if gained > 0:
                whole_change(s, block, gained)
            block, gained = np.int64(dom.block), np.int64(0)
        if dom.leaving:
            book_chips(s, site, d, kind, -np.int64(piece.chips), -np.int64(piece.spare))
        else:
            used += piece.chips
            spare += piece.spare
            staying = d
        if is_alone(s, p):
            gained += 1
            word, bit = domain_bit(s.sites[site], d)
            if word != w:
                if w >= 0:
                    give_word(s, site, w, mask)
                w, mask = word, ZERO
            mask |= bit
            leave_whole(s, site, p)
            if easy and dom.last_job == j:
                set_last_only(s, site, d, np.int64(-1), np.int64(-1))
        else:
            gained += leave_shared(s, site, j, p)
        p = after
    if gained > 0:
        whole_change(s, block, gained)
    if w >= 0:
        give_word(s, site, w, mask)
    if staying >= 0:
        book_chips(s, site, staying, kind, -used, -spare)
    run.first_piece = -1
    run.weight_due = 0


@kernel()
def leave_shared(s, site, j, p):
    """A piece of a gang goes from a domain that is not wholly free then or is not in the indices.

    Returns the change of the block's wholly free domains, which is the caller's to count.
    """
    piece = s.pieces[p]
    d = np.int64(piece.domain)
    dom = s.doms[d]
    piece_leave_domain(s, p)
    gained = move_level(s, site, d, np.int64(dom.free + piece.chips + piece.spare))
    if s.clock[0].easy and dom.last_job == j:
        dom.last_job = -1
        if dom.first_piece < 0:
            set_last_only(s, site, d, np.int64(-1) if dom.broken == 0 else NEVER, np.int64(-1))
        else:
            refresh_last(s, site, d)
    if dom.leaving:
        leave_domain(s, site, d)
    piece_free(s, p)
    return gained


@kernel()
def stop_job(s, j, how):
    """Take a running job off its chips."""
    c = s.clock[0]
    run = s.runs[j]
    close_segment(s, j, how)
    if c.preemption:
        unlist(s, j)
    give_back(s, j)
    run.version += 1
    run.preempt_at = NEVER
    tell(s, STOP_RUN, j)
    c.running -= 1
    moved = s.active[c.running]
    s.active[run.slot] = moved
    s.runs[moved].slot = run.slot
    c.happened = 1
    c.dirty = 1
    c.growing = 1
    cls = s.classes[s.jobs[j].cls]
    if c.stuck_job >= 0 and not (cls.preemptible and standing(s, j) < c.stuck_priority):
        c.stuck_job = -1
    if run.est_end != c.now:
        c.rebuild = 1


@kernel()
def finish_job(s, j):
    """The job's work is done, or its requested time is over."""
    run = s.runs[j]
    stop_job(s, j, COMPLETE)
    run.end = s.clock[0].now
    run.state = AT_LIMIT if run.limit else DONE
    if run.limit:
        s.count[0].at_limit += 1
    else:
        s.count[0].completed += 1
    if tell(s, OVER, j) == 0 and s.jobs[j].watched:
        s.clock[0].finished = j


@kernel()
def requeue_job(s, j, how):
    """Stop a job and put it back into the queue at its old place; it will pay its restart time."""
    stop_job(s, j, how)
    s.runs[j].overhead_ms = s.classes[s.jobs[j].cls].restart
    s.runs[j].end = -1
    enqueue(s, j)


@kernel()
def fail_job(s, j):
    """A gang that cannot restart in place goes back to the queue."""
    s.runs[j].requeues += 1
    s.count[0].requeues += 1
    requeue_job(s, j, FAILED)


@kernel()
def restart_in_place(s, j):
    """A gang goes on with replaced chips from its last checkpoint; its estimate moves if it slipped much."""
    c = s.clock[0]
    run = s.runs[j]
    close_segment(s, j, FAILED)
    run.begun = c.now
    run.overhead_ms = s.classes[s.jobs[j].cls].restart
    run.restarts += 1
    s.count[0].restarts += 1
    if c.preemption:
        note_restart(s, j)
    plan_end(s, j)
    estimate = segment_estimate(s, j)
    if run.preempt_at == NEVER and estimate - run.est_end > (run.est_end - c.now) // 16:
        move_estimate(s, j, estimate)


@kernel()
def reach_end(s, j, time):
    """A termination event of a running job is due: finish, wait for a later end, or renew the estimate."""
    run = s.runs[j]
    if run.end <= time:
        finish_job(s, j)
        return
    estimate = np.int64(run.est_end)
    if estimate <= time:
        estimate = segment_estimate(s, j)
        while estimate <= time:
            run.request_left *= 2
            estimate = segment_estimate(s, j)
        move_estimate(s, j, min(estimate, np.int64(run.preempt_at)))
        s.clock[0].happened = 1
    heap_push(s, min(run.end, estimate), (np.int64(FINISH) << KEY_SHIFT) | j, np.int64(run.version))


@kernel()
def set_attempt(s, j, pool, n):
    """Fill in the job's rate and estimate for n placed chips; returns the estimated end."""
    c = s.clock[0]
    run = s.runs[j]
    cls = np.int64(s.jobs[j].cls)
    run.rate = job_rate(s, j, pool, n, np.int64(c.plan_blocks), c.plan_over)
    run.interval = checkpoint_interval(s, cls, pool, n)
    stall = s.classes[cls].stall
    return c.now + run.overhead_ms + wall_time(run.request_left, run.rate, run.interval, stall)


@kernel()
def undo_placement(s, j):
    """Give back pieces that were only tried."""
    p = np.int64(s.runs[j].first_piece)
    while p >= 0:
        piece = s.pieces[p]
        d = np.int64(piece.domain)
        piece_leave_domain(s, p)
        set_free(s, np.int64(s.doms[d].site), d, np.int64(s.doms[d].free + piece.chips + piece.spare))
        next_piece = np.int64(piece.next)
        piece_free(s, p)
        p = next_piece
    s.runs[j].first_piece = -1


@kernel()
def begin(s, j, pool, site, n, estimate):
    """A placed job runs from now."""
    c = s.clock[0]
    run = s.runs[j]
    dequeue(s, j)
    run.state = RUNNING
    run.begun = c.now
    run.waited += c.now - run.queued
    run.pool = pool
    run.site = site
    run.chips = n
    run.blocks = c.plan_blocks
    run.est_end = estimate
    if run.start < 0:
        run.start = c.now
        s.count[0].first_starts += 1
    s.count[0].starts += 1
    s.active[c.running] = j
    run.slot = c.running
    c.running += 1
    if c.preemption:
        list_running(s, j)
    tell(s, BEGIN, j)
    plan_end(s, j)
    book_start(s, j, site, n)
    if c.easy:
        bind_ends(s, j)
    heap_push(s, min(run.end, run.est_end), (np.int64(FINISH) << KEY_SHIFT) | j, np.int64(run.version))


@kernel()
def try_start(s, j, pool, n, restricted, deadline):
    """Place job j with n chips on a pool and start it if its estimated end is by the deadline.

    Returns whether it runs. ``restricted``: on the chips that the reservation leaves.
    """
    c = s.clock[0]
    cls = s.classes[s.jobs[j].cls]
    site = find_site(s, pool, n, np.int64(cls.max_sites), restricted)
    if site == -1:
        return False
    c.plan_blocks, c.plan_over = 1, 0.0
    if deadline < NEVER:
        estimate = set_attempt(s, j, pool, n)
        if estimate > deadline:
            c.plan_end = estimate
            return False
    c.stamp += 1
    c.plan_blocks = 0
    extra = c.resv_extra
    first = np.int64(-1)
    if site >= 0:
        first = take_site(s, site, first, j, n, restricted, np.int64(s.jobs[j].tenant))
    else:
        first = take_span(s, pool, first, j, n, np.int64(cls.max_sites), restricted)
    s.runs[j].first_piece = first
    estimate = set_attempt(s, j, pool, n)
    if estimate > deadline:
        c.plan_end = estimate
        undo_placement(s, j)
        c.resv_extra = extra
        return False
    if c.placement == PACK_TENANT:
        p = first
        while p >= 0:
            s.doms[s.pieces[p].domain].tenant = s.jobs[j].tenant
            p = np.int64(s.pieces[p].next)
    begin(s, j, pool, max(site, np.int64(-1)), n, estimate)
    return True
