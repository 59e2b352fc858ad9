use entity_stream_runtime::Environment;
use entity_stream_runtime::environment::Variable;

/// An environment with other values for these variables. An empty value hides the variable.
pub(crate) fn overlay<const N: usize>(environment: &Environment, values: [(Variable, String); N]) -> Environment {
    let below = environment.clone();
    Environment::new(move |name| {
        let above = values.iter().find(|(variable, _)| variable.name == name);
        above.map(|(_, value)| value.clone()).or_else(|| below.lookup(name))
    })
}
