//! From a suite's words to probes.

use bench_eval::probe::Probe;
use bench_eval::probe::knn::{Knn, KnnSettings};
use bench_eval::probe::knn_linfa::KnnLinfa;
use bench_eval::probe::logistic::{LogisticProbe, LogisticSettings};
use bench_eval::probe::logistic_linfa::LinfaLogisticProbe;

use crate::Error;
use crate::suite::Probes;

/// Whether a probe sees standardised features in a protocol.
pub fn standardises(settings: &Probes, probe: &str, protocol: &str) -> bool {
    let protocols = if probe == "logreg" { &settings.logreg_standardise } else { &settings.knn_standardise };
    protocols.iter().any(|p| p == protocol)
}

/// The probe of an id.
///
/// # Errors
/// Settings out of range.
pub fn probe(settings: &Probes, id: &str, standardise: bool) -> Result<Box<dyn Probe>, Error> {
    let logreg = LogisticSettings { standardise, ..settings.logreg };
    let knn = KnnSettings { standardise, ..settings.knn };
    Ok(match (id, settings.logreg_backend.as_str(), settings.knn_backend.as_str()) {
        ("logreg", "linfa", _) => Box::new(LinfaLogisticProbe::new(logreg)?),
        ("logreg", ..) => Box::new(LogisticProbe::new(logreg)?),
        (_, _, "linfa") => Box::new(KnnLinfa::new(knn)?),
        _ => Box::new(Knn::new(knn)?),
    })
}
