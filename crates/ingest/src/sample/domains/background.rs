//! Sentences about the surrounding country. They state no fact that is asked for, and make a chronicle long.

use super::Wordings;

pub(in crate::sample) const BACKGROUND: Wordings = Wordings {
    train: &[
        "In those days the roads were [muddy|bad] for half the year, and most goods travelled on the backs of mules or in flat boats along the river.",
        "The winters were [hard|long], the cattle stood knee-deep in snow, and old people told stories by the stove until the candles had burned down.",
        "On market days the square filled with baskets of [plums|onions], geese in wooden crates, and farmers who argued about the price of seed.",
        "A [narrow|steep] path led from the church to the quarry, where the children gathered blackberries and were told not to go near the edge.",
        "Nobody had seen so much rain in a lifetime; the cellars were full of water and the bakers dried their flour on the roofs.",
        "The newspaper [complained|noted] every week about the dogs, the dust and the state of the pump in front of the inn.",
        "Wolves were heard in the woods now and then, although the gamekeeper swore that it was only the wind in the chimneys.",
        "When the apples were ripe the whole district smelled of cider, and even the [judge|priest] was seen carrying a ladder.",
        "Travellers remarked on the white houses, the green shutters, and the habit of greeting strangers with a slice of bread and salt.",
        "The river changed its bed twice within memory, and each time a meadow was lost on one bank and won on the other.",
        "There was a comet that autumn, and people stood on the hill with smoked glass, blankets and flasks of tea.",
        "Much of the forest was felled for charcoal, and young birches now grow where the great beeches used to stand.",
        "The post came on foot, in a leather bag, and letters were often read aloud before they reached the people they were meant for.",
        "Storks nested on the tall chimney of the inn, and it was thought to bring bad luck to count their young.",
    ],
    validation: &[
        "Fishermen mended their nets along the wall, and in the evening smoke from the kippering sheds drifted over the gardens.",
        "The hills are [bare|stony] there, and shepherds built round huts of turf in which they slept from May until the leaves fell.",
        "A dry summer had turned the pastures brown, and water was brought up from the spring by donkeys with copper bells.",
        "Every household kept bees, and honey was given to guests, to the sick, and to the man who wound the tower clock.",
        "It was said that a bell lay at the bottom of the lake and could be heard on [still|foggy] nights by those who had told no lies.",
        "The ferryman slept in his boat, charged double after dark, and knew the gossip of both shores better than anyone else.",
        "Chestnut trees lined the avenue, and the older ones had been hollowed by lightning so that a child could stand inside.",
        "In the spring the meadows were flooded on purpose, and the hay that followed was the thickest in the whole region.",
        "Pedlars sold ribbons and needles from door to door, and carried the news of weddings and bankruptcies from village to village.",
        "The moor was crossed by a track of split logs, laid so long ago that the peat had grown over most of it.",
        "Cats were held in high regard because of the granaries, and a fine was due from anyone who harmed one.",
        "The orchards on the south slope froze in one night, and people burned damp straw between the trees to save the blossom.",
    ],
};
