internal import Engine
internal import HoldfastPlatform
internal import Log
internal import Replication
internal import Snapshot
internal import Store

/// INFO's section about what is on disk.
extension ServerState {
    func addPersistence(to info: inout InfoText) {
        info.section("Persistence")
        info.field("loading", condition.isLoading)
        // A replica takes all data in beside those that it serves.
        info.field("async_loading", following.load != nil)
        for name in ["current_cow_peak", "current_cow_size", "current_cow_size_age"] {
            info.field(name, 0)
        }
        info.field("current_fork_perc", "0.00")
        info.field("current_save_keys_processed", saving.job?.progress.keys ?? 0)
        info.field("current_save_keys_total", saving.job?.keyCount ?? 0)
        addSaveProgress(to: &info)
        info.field("rdb_changes_since_last_save", changesSinceSave)
        info.field("rdb_bgsave_in_progress", saving.isSaving)
        info.field("rdb_last_save_time", saving.savedAt)
        info.field("rdb_last_bgsave_status", saving.hasFailed ? "err" : "ok")
        info.field("rdb_last_bgsave_time_sec", saving.saveSeconds)
        info.field(
            "rdb_current_bgsave_time_sec",
            saving.isSaving && saving.job != nil ? now / 1000 - saving.jobStartedAt : -1)
        info.field("rdb_saves", saving.saveCount)
        info.field("rdb_last_cow_size", 0)
        info.field("rdb_last_load_keys_expired", saving.keysExpired)
        info.field("rdb_last_load_keys_loaded", saving.keysLoaded)
        let report = durability.writer?.report()
        info.field("aof_enabled", report != nil)
        info.field("aof_rewrite_in_progress", saving.isRewriting)
        info.field("aof_rewrite_scheduled", saving.isRewriteScheduled)
        info.field("aof_last_rewrite_time_sec", saving.rewriteSeconds)
        info.field(
            "aof_current_rewrite_time_sec",
            saving.isRewriting && !saving.isRewriteDue ? now / 1000 - saving.jobStartedAt : -1)
        info.field("aof_last_bgrewrite_status", saving.rewriteHasFailed ? "err" : "ok")
        info.field("aof_rewrites", saving.rewriteCount)
        info.field("aof_rewrites_consecutive_failures", saving.rule.failures)
        info.field("aof_last_write_status", report?.isFailing == true ? "err" : "ok")
        info.field("aof_last_cow_size", 0)
        info.field("module_fork_in_progress", 0)
        info.field("module_fork_last_cow_size", 0)
        if let report {
            info.field("aof_current_size", report.currentBytes)
            info.field("aof_base_size", report.baseBytes)
            info.field("aof_pending_rewrite", 0)
            info.field("aof_buffer_length", report.queuedBytes)
            info.field("aof_pending_bio_fsync", report.isSyncRunning)
            info.field("aof_delayed_fsync", report.figures.delayedSyncs)
            addLog(report, to: &info)
        }
        if condition.isLoading {
            addLoading(
                startedAt: loading.startedAt, total: loading.totalBytes,
                loaded: loading.loadedBytes,
                secondsLeft: loading.secondsLeft(nanoseconds: clock.monotonicNanoseconds), to: &info
            )
        } else if let load = following.load {
            let startedAt = load.plan.milliseconds / 1000
            let total = load.source.totalBytes ?? 0
            let loaded = load.source.bytesRead
            // Without a total nobody knows, and Redis says 1.
            let passed = Double(max(now / 1000 - startedAt, 0))
            let left =
                total > 0 ? passed * Double(total - loaded) / Double(max(loaded, 1)) : 1
            addLoading(
                startedAt: startedAt, total: total, loaded: loaded,
                secondsLeft: Int64(min(left, 1e15)), to: &info)
        }
    }

    /// What only this server has: positions in the log, and what the disk does with them.
    private func addLog(_ report: LogWriterReport, to info: inout InfoText) {
        info.field("wal_history", replication.histories.current.description)
        // With what this turn has appended.
        info.field("wal_lsn_appended", dispatcher.context.log.appended.value)
        info.field("wal_lsn_written", report.written.value)
        info.field("wal_lsn_durable", report.durable.value)
        info.field("wal_unsynced_bytes", report.unsyncedBytes + dispatcher.context.log.count)
        info.field("wal_unsynced_ms", report.unsyncedMilliseconds)
        for (name, histogram) in [
            ("sync", report.figures.syncMicroseconds), ("write", report.figures.writeMicroseconds),
        ] {
            info.field("wal_\(name)s", histogram.count)
            info.field("wal_\(name)_latency_p50_us", histogram.percentile(0.5))
            info.field("wal_\(name)_latency_p99_us", histogram.percentile(0.99))
            info.field("wal_\(name)_latency_p999_us", histogram.percentile(0.999))
            info.field("wal_\(name)_latency_max_us", histogram.maximum)
        }
        info.field("wal_segment", report.segment)
        info.field("wal_segments", report.segmentCount)
        info.field("wal_retained_bytes", report.retainedBytes)
        info.field("wal_first_lsn", report.firstLSN.value)
        info.field("wal_archive_pending", report.archivePending)
        info.field("wal_archive_last_name", report.figures.archivedName ?? "")
        info.field("wal_archive_failures", report.figures.archiveFailures)
        info.field("wal_archive_last_error", report.figures.archiveError ?? "")
        info.field("wal_growth_allowed", report.growthAllowed)
        info.field("wal_writers_held", condition.holdsWriters)
        info.field("wal_failures", report.figures.failures)
        info.field("wal_heals", report.figures.heals)
        info.field("wal_last_error", report.isFailing ? report.lastError?.reason ?? "" : "")
    }

    /// What the snapshot that is being written has done and has left.
    private func addSaveProgress(to info: inout InfoText) {
        let job = saving.job
        let phase =
            saving.installing != nil ? "install" : job == nil ? "none" : "write"
        info.field("current_save_phase", phase)
        info.field("current_save_bytes", job?.progress.bytes ?? 0)
        var left: Int64 = -1
        if let job, job.progress.keys > 0 {
            let passed = Double(max(now / 1000 - saving.jobStartedAt, 0))
            left = Int64(
                passed * Double(job.keyCount - job.progress.keys) / Double(job.progress.keys))
        }
        info.field("current_save_eta_seconds", left)
        info.field("last_freeze_us", statistics.lastFreezeMicroseconds)
    }

    private func addLoading(
        startedAt: Int64, total: Int64, loaded: Int64, secondsLeft: Int64, to info: inout InfoText
    ) {
        let percent = total > 0 ? Double(loaded) * 100 / Double(total) : 0
        info.field("loading_start_time", startedAt)
        info.field("loading_total_bytes", total)
        info.field("loading_rdb_used_mem", 0)
        info.field("loading_loaded_bytes", loaded)
        info.field("loading_loaded_perc", percent, decimals: 2)
        info.field("loading_eta_seconds", max(secondsLeft, 0))
    }
}
