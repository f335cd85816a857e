"""Names that people in France bear, for invented persons: each person joins names drawn independently."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())


# The most usual ones first: the generator draws the beginning of the list more often.
FAMILY_NAMES = _words("""
Martin Bernard Thomas Petit Robert Richard Durand Dubois Moreau Laurent Simon Michel Lefebvre Leroy Roux
David Bertrand Morel Fournier Girard Bonnet Dupont Lambert Fontaine Rousseau Vincent Muller Lefèvre Faure
André Mercier Blanc Guérin Boyer Garnier Chevalier François Legrand Gauthier Garcia Perrin Robin Clément
Morin Nicolas Henry Roussel Mathieu Gautier Masson Marchand Duval Denis Dumont Marie Lemaire Noël Meyer
Dufour Meunier Brun Blanchard Giraud Joly Rivière Lucas Brunet Gaillard Barbier Arnaud Martinez Gérard
Roche Renard Schmitt Roy Leroux Colin Vidal Caron Picard Roger Fabre Aubert Lemoine Renaud Dumas Lacroix
Olivier Philippe Bourgeois Pierre Benoit Rey Leclerc Payet Rolland Leclercq Guillaume Lecomte Lopez Jean
Dupuy Guillot Hubert Berger Carpentier Sanchez Dupuis Moulin Louis Deschamps Huet Vasseur Perez Boucher
Fleury Royer Klein Jacquet Adam Paris Poirier Marty Aubry Guyot Carré Charles Renault Charpentier Ménard
Maillard Baron Bertin Bailly Hervé Schneider Fernandez Collet Léger Bouvier Julien Prévost Millet Perrot
Daniel Le_Gall Cousin Germain Breton Besson Langlois Rémy Le_Goff Pelletier Lévêque Perrier Leblanc Barré
Lebrun Marchal Weber Mallet Hamon Boulanger Jacob Monnier Michaud Rodriguez Guichard Gillet Étienne
Grondin Poulain Tessier Chevallier Collin Chauvin Bouchet Gay Lemaître Bénard Maréchal Humbert Reynaud
Antoine Hoarau Perret Barthélemy Cordier Pichon Lejeune Gilbert Lamy Delaunay Pasquier Carlier Laporte
Gros Buisson Coulon Guillou Bertrand-Roy Charrier Briand Devaux Fischer Maury Hardy Leduc Ferrand Mahé
Marin Jourdan Leblond Bigot Tanguy Besnard Cohen Gomez Bazin Lesage Ollivier Bodin Ferreira Da_Silva
Pereira Rodrigues Dos_Santos Fernandes Lopes Martins Costa Gonçalves Nguyen Tran Pham Le_Roux Le_Corre
Le_Bihan Le_Borgne Quéré Kervella Guéguen Cadiou Riou Jaouen Traoré Diallo Coulibaly Diarra Keïta Konaté
Touré Camara Cissé Sow Ndiaye Benali Benamar Haddad Mansouri Belkacem Amrani Bouzid Cherif Saïdi Slimani
Khelifi Brahimi Yilmaz Kaya Demir Öztürk Kowalski Nowak Wagner Schaeffer Zimmermann Hoffmann Keller Fuchs
Kuntz Walter Schwartz Wolff Ehrhart Casanova Colonna Santoni Luciani Mattei Paoli Rossi Albertini Ferrari
Romano Esposito Greco Vandenberghe Delattre Delannoy Dewaele Vanhoutte Delcroix Wattiez Lecocq Bécart
Cuvelier Etcheverry Ibarra Etchegaray Lacoste Cazaux Lafitte Labarthe Darrigade Casenave Peyre Fabrègue
Puech Combes Bousquet Delmas Cazals Rouquette Estève Pagès Soler Ribes Puig Batlle Ricard Aubanel Isnard
Blachère Giordano Barbaroux Revol Chabert Bompard Favre Blanchet Vuillermoz Mottet Bouvard Grosjean
Jeannin Vuillemin Courvoisier Petitjean Mougin Claudel Ferry Didier Valentin Mangin Lallemand Aubertin
Hennequin Bazaine Chopin Royer-Collin Souchet Guillemot Rabot Pineau Bouteiller Mauduit Cosnard Lhermitte
Anquetil Lecarpentier Quesnel Lepetit Duhamel Delamare Hébert Toutain Marais Vallée Goupil Auvray Papin
Métayer Girardeau Boutin Naud Rambaud Gendron Bonneau Chauvet Texier Sureau Pasquet Berthelot Gallet
Mignot Tournier Verdier Vialatte Chassagne Roussillon Faucher Lavergne Desmoulins Sautereau Périchon
Brossard Couderc Malaval Hoareau Fontaine-Payet Técher Boyer-Rivière Lebon Maillot Robert-Técher Sinama
Virapin Nativel Cléret Jean-Baptiste Saint-Louis Joseph-Rose Céleste Narcisse Marie-Luce Pierre-Louis Zami
Boisrond Cabit Louison
""")

# Year in which an era ends -> first names given in it. Women's and men's lists go together.
FEMALE_FIRST_NAMES: dict[int, tuple[str, ...]] = {
    1945: _words("""
        Marie Jeanne Jacqueline Denise Simone Paulette Yvette Ginette Odette Yvonne Germaine Suzanne
        Madeleine Huguette Monique Micheline Andrée Lucienne Marcelle Georgette Colette Thérèse Jeannine
        Renée Raymonde Solange Arlette Gisèle Claudine Éliane Pierrette Josette Henriette Lucette
        Mauricette Bernadette Gilberte Rolande Françoise Annie Nicole Marie-Thérèse Marie-Louise Fernande
        Irène Cécile Édith Rosette Rose Hélène"""),
    1962: _words("""
        Françoise Monique Nicole Christiane Danielle Catherine Martine Chantal Annie Brigitte Sylvie
        Évelyne Christine Dominique Jocelyne Michèle Marie-Claude Marie-France Josiane Bernadette Liliane
        Véronique Anne-Marie Éliane Joëlle Mireille Colette Ghislaine Patricia Geneviève Marie-Christine
        Claudine Élisabeth Annick Agnès Régine Maryse Marie-Hélène Lydie Yolande Viviane Odile Corinne
        Pascale Marie-Paule Nadine Béatrice Fatima Maria"""),
    1980: _words("""
        Nathalie Isabelle Sylvie Valérie Sandrine Stéphanie Christelle Céline Karine Laurence Sophie
        Véronique Corinne Patricia Florence Sabrina Virginie Delphine Séverine Anne Cécile Caroline Hélène
        Magali Aurélie Laetitia Carole Muriel Emmanuelle Fabienne Estelle Élodie Émilie Claire Vanessa
        Sonia Nadia Myriam Alexandra Peggy Gaëlle Anne-Sophie Marie-Laure Rachida Samira Katia Angélique
        Ludivine Frédérique Barbara"""),
    2000: _words("""
        Laura Marine Pauline Camille Julie Mathilde Manon Marion Léa Anaïs Mélanie Amandine Émilie Élodie
        Audrey Charlotte Sarah Lucie Morgane Justine Océane Chloé Alice Margaux Fanny Mélissa Jessica
        Claire Coralie Noémie Clémence Laurine Cindy Alexia Elsa Estelle Ophélie Solène Maëva Inès Yasmine
        Amina Leïla Aïssatou Célia Juliette Héloïse Lisa Andréa Clara"""),
    9999: _words("""
        Emma Jade Louise Alice Chloé Lina Léa Manon Inès Rose Anna Mila Ambre Julia Lou Juliette Agathe
        Zoé Éva Léna Nina Romane Sarah Camille Clara Lucie Charlotte Margaux Jeanne Louna Lola Maëlys
        Capucine Victoire Iris Alma Romy Adèle Élise Nour Sofia Assia Aya Fatoumata Yasmine Margot
        Apolline Olivia Constance Suzanne"""),
}

MALE_FIRST_NAMES: dict[int, tuple[str, ...]] = {
    1945: _words("""
        Jean Pierre André Marcel René Roger Louis Robert Georges Henri Maurice Raymond Lucien Paul Albert
        Émile Gaston Fernand Michel Claude Jacques Gilbert Bernard Guy Gérard Yves Roland Serge Marc
        Joseph Charles François Camille Edmond Léon Eugène Édouard Gabriel Norbert Armand Christian Daniel
        Francis Jean-Marie Jean-Claude Jean-Pierre Noël Antoine Désiré Victor"""),
    1962: _words("""
        Michel Jean-Claude Daniel Bernard Alain Philippe Patrick Jean-Pierre Gérard Christian Jacques
        Serge Dominique Gilles Francis Didier Jean-Paul Jean-Luc Pascal Éric Thierry Bruno Marc Denis
        Jean-Louis Jean-Michel Yves Joël Jean-Marc Hervé Régis Jean-François Guy Roland Claude Gérald
        Patrice Rémi Jean-Jacques André Jean-Yves Roger Maurice Lionel Hubert José Mohamed Antonio Ahmed
        Manuel"""),
    1980: _words("""
        Christophe Stéphane David Laurent Frédéric Nicolas Sébastien Olivier Éric Thierry Pascal Bruno
        Philippe Jérôme Cédric Ludovic Arnaud Franck Vincent Fabrice Xavier Emmanuel Guillaume Julien
        Grégory Mickaël Jean-Philippe Cyril Yann Benoît Sylvain Fabien Gaël Hervé Gilles Karim Rachid
        Samir Nordine Mathieu Alexandre Anthony Damien Yannick Tony Raphaël Jean-Christophe Régis Bertrand
        Loïc"""),
    2000: _words("""
        Thomas Kévin Julien Alexandre Nicolas Maxime Romain Quentin Florian Antoine Anthony Jérémy Clément
        Valentin Pierre Guillaume Mathieu Lucas Benjamin Adrien Alexis Vincent Hugo Théo Dylan Arthur Paul
        Simon Baptiste Loïc Corentin Rémi Bastien Jordan Steven Mehdi Yanis Bilal Mamadou Tristan Victor
        Aurélien Gaëtan Damien Samuel Charles Martin Axel Robin Jonathan"""),
    9999: _words("""
        Gabriel Léo Raphaël Louis Arthur Jules Adam Maël Lucas Hugo Noah Liam Sacha Nathan Ethan Paul Tom
        Mohamed Aaron Théo Noé Enzo Gabin Nolan Timéo Mathis Eliott Axel Maxime Victor Isaac Naël Rayan
        Malo Marius Robin Martin Antoine Augustin Clément Samuel Côme Ibrahim Amir Imran Ayoub Valentin
        Baptiste Évan Oscar"""),
}

DOCTOR_FIRST_NAMES = _words("""
Anne Bruno Camille Cécile Charlotte Claire Didier Élise Emmanuel Florence François Gilles Hélène Jean-Marc
Julien Karim Laure Laurent Marc Marion Mathilde Nadia Nicolas Olivier Pascale Philippe Sophie Thomas
Vincent Xavier
""")
