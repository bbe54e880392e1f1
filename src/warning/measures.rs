//! Flood mode and the measures of the alarms, while the hub runs: rows of floods to the log, then to the screens.
//!
//! The figures fold the log's rows as each is on disk (`Warning::append`), so that they are those of a fold at a start.

use model::{Actor, Flood, LogBody, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{Inputs, Made, Warning};

impl Warning {
    /// Moves the figures' clock; writes down and shows what has begun or ended. False when shut down before that.
    pub(super) async fn measure(&mut self, inputs: &mut Inputs, token: &CancellationToken) -> bool {
        let untold = {
            let mut kpis = self.kpis.lock();
            kpis.tick(Timestamp::now());
            kpis.take_untold()
        };
        if untold.is_empty() {
            return true;
        }
        for transition in &untold {
            tracing::warn!(desk = transition.desk.as_deref().unwrap_or("all"), change = ?transition.change, "flood of alarms");
        }
        let rows = untold.into_iter().map(|transition| (Actor::Hub, LogBody::Flood(transition))).collect();
        let kept = self.keep(Made { rows, ..Made::default() }, inputs, token).await;
        if kept {
            self.tell_measures();
        }
        kept
    }

    /// Tells the floods that are on to the screens when anything of them has changed, and the rates to the metrics.
    pub(super) fn tell_measures(&mut self) {
        let floods: Vec<Flood> = {
            let kpis = self.kpis.lock();
            for (desk, last_hour, flooded) in kpis.rates() {
                let desk = desk.unwrap_or("all").to_owned();
                metrics::gauge!("gridward_alarm_rate_per_hour", "desk" => desk.clone()).set(f64::from(last_hour));
                metrics::gauge!("gridward_flood_mode", "desk" => desk).set(if flooded { 1.0 } else { 0.0 });
            }
            let (alarms, pairs, incidents) = kpis.kept();
            for (of, count) in [("alarms", alarms), ("pairs", pairs), ("incidents", incidents)] {
                metrics::gauge!("gridward_kpi_kept", "of" => of).set(count as f64);
            }
            kpis.floods()
        };
        self.feed.floods(floods);
    }
}
