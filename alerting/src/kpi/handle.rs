//! The figures as several may look at them: the driver folds, the dashboard asks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::figures::{Cameras, NoReport, Query};
use super::fold::Kpis;
use super::report::KpiReport;
use super::shifts::Shifts;

/// Figures shared by clones. Looks are short: a report is made of a copy.
#[derive(Debug, Clone)]
pub struct Handle {
    kpis: Arc<Mutex<Kpis>>,
    shifts: Arc<Shifts>,
}

impl Handle {
    /// Shares figures; `shifts` are those that reports are told by.
    pub fn new(kpis: Kpis, shifts: Shifts) -> Self {
        Self { kpis: Arc::new(Mutex::new(kpis)), shifts: Arc::new(shifts) }
    }

    /// The figures themselves, for who folds rows in.
    pub fn lock(&self) -> MutexGuard<'_, Kpis> {
        // A fold that was torn by a panic is a count too few; figures are no reason to stop.
        self.kpis.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A report.
    pub fn report(&self, query: &Query, cameras: &dyn Cameras) -> Result<KpiReport, NoReport> {
        let picture = self.lock().picture(query)?;
        Ok(picture.report(&self.shifts, cameras))
    }
}
