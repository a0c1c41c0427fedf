//! Interprets the result of a pickle as a state dict.

use std::collections::BTreeSet;

use crate::error::{Fault, brief};
use crate::object::Object;
use crate::tensor::Tensor;
use crate::unpickle::Unpickled;

/// The tensors by name, in the dict's order; each is within its storage.
pub(crate) fn state_dict(pickle: &Unpickled) -> Result<Vec<(String, Tensor)>, Fault> {
    let Object::Dict(items) = pickle.root() else {
        return Err(Fault::Form(format!("it holds {}, expected a dict of tensors", pickle.root().kind())));
    };
    let mut names = BTreeSet::new();
    let mut tensors = Vec::new();
    for (key, value) in items {
        let (name, tensor) = match (pickle.get(*key), pickle.get(*value)) {
            (Object::Text(name), Object::Tensor(tensor)) => (name, tensor),
            (Object::Text(name), other) => {
                return Err(Fault::Form(format!(
                    "its \"{}\" is {}, expected a tensor",
                    brief(name),
                    other.kind()
                )));
            }
            (other, _) => {
                return Err(Fault::Form(format!("a key of its dict is {}, expected a str", other.kind())));
            }
        };
        tensor.check(name)?;
        if !names.insert(name) {
            return Err(Fault::Form(format!("it has two tensors {}", brief(name))));
        }
        tensors.push((name.to_string(), (**tensor).clone()));
    }
    Ok(tensors)
}
