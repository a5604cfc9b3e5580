//! Measures the machine at an interval.

use serde::Serialize;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use sysinfo::{Networks, System};

/// One measurement.
#[derive(Debug, Serialize)]
pub(crate) struct Sample {
    host: String,
    /// Milliseconds since 1970.
    at: u64,
    /// Percent, of all processors together.
    cpu: f32,
    load: [f64; 3],
    /// Bytes.
    used: u64,
    memory: u64,
    /// Bytes per second, of all interfaces except the loopback.
    received: u64,
    sent: u64,
}

/// Calls `on_sample` at this interval, also with the percentage of each processor, and never returns.
pub(crate) fn each(interval: Duration, mut on_sample: impl FnMut(&Sample, &[u8])) {
    let host = System::host_name().unwrap_or_else(|| "this machine".into());
    let mut system = System::new();
    let mut networks = Networks::new_with_refreshed_list();
    // The load of a processor is the difference between two measurements.
    system.refresh_cpu_usage();
    sleep(sysinfo::MINIMUM_CPU_UPDATE_INTERVAL);
    let mut last = Instant::now() - sysinfo::MINIMUM_CPU_UPDATE_INTERVAL;
    loop {
        system.refresh_cpu_usage();
        system.refresh_memory();
        networks.refresh(true);
        let elapsed = last.elapsed().as_secs_f64();
        last = Instant::now();
        let a_second = |bytes: u64| (bytes as f64 / elapsed) as u64;
        let load = System::load_average();
        let interfaces = || networks.iter().filter(|(name, _)| *name != "lo" && *name != "lo0");
        let sample = Sample {
            host: host.clone(),
            at: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64,
            cpu: system.global_cpu_usage(),
            load: [load.one, load.five, load.fifteen],
            used: system.used_memory(),
            memory: system.total_memory(),
            received: a_second(interfaces().map(|(_, network)| network.received()).sum()),
            sent: a_second(interfaces().map(|(_, network)| network.transmitted()).sum()),
        };
        let cores: Vec<u8> = system.cpus().iter().map(|core| core.cpu_usage().round() as u8).collect();
        on_sample(&sample, &cores);
        sleep(interval);
    }
}
