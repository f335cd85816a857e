"""Departments, towns and street names: where invented persons are born and live."""

from __future__ import annotations


def _items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.replace("\n", ",").split(",") if item.strip())


# Code, name and share of births in thousandths, roughly as the population is spread. 20 is what Corsica was
# until 1976, so it has no share.
_DEPARTMENTS = _items("""
01 Ain 10, 02 Aisne 8, 03 Allier 5, 04 Alpes-de-Haute-Provence 2, 05 Hautes-Alpes 2
06 Alpes-Maritimes 17, 07 Ardèche 5, 08 Ardennes 4, 09 Ariège 2, 10 Aube 5, 11 Aude 5, 12 Aveyron 4
13 Bouches-du-Rhône 31, 14 Calvados 11, 15 Cantal 2, 16 Charente 5, 17 Charente-Maritime 9, 18 Cher 5
19 Corrèze 4, 20 Corse 0, 2A Corse-du-Sud 2, 2B Haute-Corse 3, 21 Côte-d’Or 8, 22 Côtes-d’Armor 9
23 Creuse 2, 24 Dordogne 6, 25 Doubs 8, 26 Drôme 8, 27 Eure 9, 28 Eure-et-Loir 7, 29 Finistère 14
30 Gard 11, 31 Haute-Garonne 21, 32 Gers 3, 33 Gironde 24, 34 Hérault 18, 35 Ille-et-Vilaine 16
36 Indre 3, 37 Indre-et-Loire 9, 38 Isère 19, 39 Jura 4, 40 Landes 6, 41 Loir-et-Cher 5, 42 Loire 12
43 Haute-Loire 3, 44 Loire-Atlantique 21, 45 Loiret 10, 46 Lot 3, 47 Lot-et-Garonne 5, 48 Lozère 1
49 Maine-et-Loire 12, 50 Manche 8, 51 Marne 9, 52 Haute-Marne 3, 53 Mayenne 5, 54 Meurthe-et-Moselle 11
55 Meuse 3, 56 Morbihan 11, 57 Moselle 16, 58 Nièvre 3, 59 Nord 40, 60 Oise 13, 61 Orne 4
62 Pas-de-Calais 23, 63 Puy-de-Dôme 10, 64 Pyrénées-Atlantiques 10, 65 Hautes-Pyrénées 3
66 Pyrénées-Orientales 7, 67 Bas-Rhin 17, 68 Haut-Rhin 12, 69 Rhône 28, 70 Haute-Saône 4
71 Saône-et-Loire 8, 72 Sarthe 9, 73 Savoie 7, 74 Haute-Savoie 12, 75 Paris 34, 76 Seine-Maritime 19
77 Seine-et-Marne 21, 78 Yvelines 22, 79 Deux-Sèvres 6, 80 Somme 9, 81 Tarn 6, 82 Tarn-et-Garonne 4
83 Var 16, 84 Vaucluse 8, 85 Vendée 10, 86 Vienne 7, 87 Haute-Vienne 6, 88 Vosges 6, 89 Yonne 5
90 Territoire de Belfort 2, 91 Essonne 19, 92 Hauts-de-Seine 24, 93 Seine-Saint-Denis 24
94 Val-de-Marne 21, 95 Val-d’Oise 18, 971 Guadeloupe 6, 972 Martinique 5, 973 Guyane 4
974 La Réunion 13, 975 Saint-Pierre-et-Miquelon 1, 976 Mayotte 3, 99 Né(e) à l’étranger 75
""")
DEPARTMENT_NAMES = {item.split(" ", 1)[0]: item.split(" ", 1)[1].rsplit(" ", 1)[0] for item in _DEPARTMENTS}
DEPARTMENT_WEIGHTS = {item.split(" ", 1)[0]: int(item.rsplit(" ", 1)[1]) for item in _DEPARTMENTS}

# Post code and town: at least one for every department.
_TOWNS = _items("""
01000 Bourg-en-Bresse, 01100 Oyonnax, 02000 Laon, 02100 Saint-Quentin, 02200 Soissons, 03000 Moulins
03100 Montluçon, 03200 Vichy, 04000 Digne-les-Bains, 04100 Manosque, 05000 Gap, 06000 Nice, 06130 Grasse
06400 Cannes, 06600 Antibes, 07000 Privas, 07100 Annonay, 08000 Charleville-Mézières, 08200 Sedan
09000 Foix, 10000 Troyes, 11000 Carcassonne, 11100 Narbonne, 12000 Rodez, 12100 Millau, 13001 Marseille
13005 Marseille, 13008 Marseille, 13012 Marseille, 13090 Aix-en-Provence, 13200 Arles, 13400 Aubagne
13500 Martigues, 14000 Caen, 14100 Lisieux, 15000 Aurillac, 16000 Angoulême, 16100 Cognac
17000 La Rochelle, 17100 Saintes, 17300 Rochefort, 18000 Bourges, 18100 Vierzon, 19000 Tulle
19100 Brive-la-Gaillarde, 20000 Ajaccio, 20200 Bastia, 20250 Corte, 21000 Dijon, 21200 Beaune
22000 Saint-Brieuc, 22100 Dinan, 22300 Lannion, 23000 Guéret, 24000 Périgueux, 24100 Bergerac
25000 Besançon, 25200 Montbéliard, 25300 Pontarlier, 26000 Valence, 26200 Montélimar
26100 Romans-sur-Isère, 27000 Évreux, 27200 Vernon, 28000 Chartres, 28100 Dreux, 29000 Quimper
29200 Brest, 29600 Morlaix, 29900 Concarneau, 30000 Nîmes, 30100 Alès, 31000 Toulouse, 31100 Toulouse
31300 Toulouse, 31500 Toulouse, 31600 Muret, 31700 Blagnac, 32000 Auch, 33000 Bordeaux, 33200 Bordeaux
33400 Talence, 33600 Pessac, 33700 Mérignac, 33500 Libourne, 34000 Montpellier, 34070 Montpellier
34200 Sète, 34500 Béziers, 35000 Rennes, 35200 Rennes, 35300 Fougères, 35400 Saint-Malo, 35500 Vitré
36000 Châteauroux, 37000 Tours, 37100 Tours, 37300 Joué-lès-Tours, 38000 Grenoble, 38100 Grenoble
38200 Vienne, 38300 Bourgoin-Jallieu, 38500 Voiron, 39000 Lons-le-Saunier, 39100 Dole
40000 Mont-de-Marsan, 40100 Dax, 41000 Blois, 41100 Vendôme, 42000 Saint-Étienne, 42100 Saint-Étienne
42300 Roanne, 42400 Saint-Chamond, 43000 Le Puy-en-Velay, 44000 Nantes, 44100 Nantes, 44300 Nantes
44400 Rezé, 44600 Saint-Nazaire, 44800 Saint-Herblain, 45000 Orléans, 45200 Montargis, 45500 Gien
46000 Cahors, 46100 Figeac, 47000 Agen, 47300 Villeneuve-sur-Lot, 48000 Mende, 49000 Angers
49100 Angers, 49300 Cholet, 49400 Saumur, 50000 Saint-Lô, 50100 Cherbourg-en-Cotentin, 50300 Avranches
51000 Châlons-en-Champagne, 51100 Reims, 51200 Épernay, 52000 Chaumont, 52100 Saint-Dizier, 53000 Laval
53100 Mayenne, 54000 Nancy, 54200 Toul, 54300 Lunéville, 54500 Vandœuvre-lès-Nancy, 55000 Bar-le-Duc
55100 Verdun, 56000 Vannes, 56100 Lorient, 56300 Pontivy, 57000 Metz, 57100 Thionville
57200 Sarreguemines, 57600 Forbach, 58000 Nevers, 59000 Lille, 59100 Roubaix, 59140 Dunkerque
59200 Tourcoing, 59300 Valenciennes, 59400 Cambrai, 59500 Douai, 59600 Maubeuge, 59650 Villeneuve-d’Ascq
59800 Lille, 60000 Beauvais, 60100 Creil, 60200 Compiègne, 61000 Alençon, 61100 Flers, 62000 Arras
62100 Calais, 62200 Boulogne-sur-Mer, 62300 Lens, 62400 Béthune, 62500 Saint-Omer
63000 Clermont-Ferrand, 63100 Clermont-Ferrand, 63200 Riom, 63300 Thiers, 64000 Pau, 64100 Bayonne
64200 Biarritz, 65000 Tarbes, 65100 Lourdes, 66000 Perpignan, 66100 Perpignan, 67000 Strasbourg
67100 Strasbourg, 67200 Strasbourg, 67300 Schiltigheim, 67500 Haguenau, 67600 Sélestat, 68000 Colmar
68100 Mulhouse, 68200 Mulhouse, 68300 Saint-Louis, 69001 Lyon, 69003 Lyon, 69005 Lyon, 69007 Lyon
69008 Lyon, 69100 Villeurbanne, 69120 Vaulx-en-Velin, 69200 Vénissieux, 69400 Villefranche-sur-Saône
70000 Vesoul, 71000 Mâcon, 71100 Chalon-sur-Saône, 71200 Le Creusot, 72000 Le Mans, 72100 Le Mans
72200 La Flèche, 73000 Chambéry, 73100 Aix-les-Bains, 73200 Albertville, 74000 Annecy, 74100 Annemasse
74200 Thonon-les-Bains, 74300 Cluses, 75005 Paris, 75010 Paris, 75011 Paris, 75012 Paris, 75013 Paris
75014 Paris, 75015 Paris, 75017 Paris, 75018 Paris, 75019 Paris, 75020 Paris, 76000 Rouen, 76100 Rouen
76200 Dieppe, 76600 Le Havre, 76620 Le Havre, 77000 Melun, 77100 Meaux, 77300 Fontainebleau
77500 Chelles, 78000 Versailles, 78200 Mantes-la-Jolie, 78100 Saint-Germain-en-Laye, 78500 Sartrouville
79000 Niort, 79100 Thouars, 79300 Bressuire, 80000 Amiens, 80080 Amiens, 80100 Abbeville, 81000 Albi
81100 Castres, 82000 Montauban, 83000 Toulon, 83100 Toulon, 83300 Draguignan, 83400 Hyères, 83600 Fréjus
84000 Avignon, 84100 Orange, 84200 Carpentras, 84300 Cavaillon, 85000 La Roche-sur-Yon
85100 Les Sables-d’Olonne, 85300 Challans, 86000 Poitiers, 86100 Châtellerault, 87000 Limoges
87100 Limoges, 88000 Épinal, 88100 Saint-Dié-des-Vosges, 89000 Auxerre, 89100 Sens, 90000 Belfort
91000 Évry-Courcouronnes, 91100 Corbeil-Essonnes, 91120 Palaiseau, 91300 Massy, 91600 Savigny-sur-Orge
92000 Nanterre, 92100 Boulogne-Billancourt, 92140 Clamart, 92230 Gennevilliers, 92320 Châtillon
92500 Rueil-Malmaison, 92600 Asnières-sur-Seine, 92700 Colombes, 93000 Bobigny, 93100 Montreuil
93200 Saint-Denis, 93300 Aubervilliers, 93500 Pantin, 93600 Aulnay-sous-Bois, 93700 Drancy
94000 Créteil, 94100 Saint-Maur-des-Fossés, 94200 Ivry-sur-Seine, 94300 Vincennes, 94400 Vitry-sur-Seine
94500 Champigny-sur-Marne, 95000 Cergy, 95100 Argenteuil, 95200 Sarcelles, 95300 Pontoise
97110 Pointe-à-Pitre, 97139 Les Abymes, 97200 Fort-de-France, 97232 Le Lamentin, 97300 Cayenne
97320 Saint-Laurent-du-Maroni, 97400 Saint-Denis, 97410 Saint-Pierre, 97420 Le Port, 97430 Le Tampon
97600 Mamoudzou
""")
TOWNS = tuple((town[:5], town[6:]) for town in _TOWNS)

STREETS = _items("""
rue de la République, rue Victor-Hugo, rue Pasteur, rue du Général-Leclerc, avenue Jean-Jaurès
rue des Lilas, rue de l’Église, place de la Mairie, rue Gambetta, rue Jules-Ferry, rue des Écoles
rue de la Gare, allée des Tilleuls, rue Anatole-France, rue Émile-Zola, boulevard Voltaire
rue du Moulin, rue de la Fontaine, impasse des Acacias, rue Pierre-et-Marie-Curie, rue du 8-Mai-1945
rue du 11-Novembre, chemin des Vignes, rue des Jardins, rue du Château, avenue de la Libération
rue Jean-Moulin, rue Molière, rue La Fontaine, rue des Peupliers, rue du Stade, rue des Prés
quai des Tanneurs, rue du Faubourg, rue Saint-Martin, rue Notre-Dame, rue du Pont, rue du Lavoir
rue Basse, Grande Rue, rue Haute, place du Marché, rue Paul-Bert, rue Lamartine, rue George-Sand
rue Louis-Aragon, allée des Cerisiers, rue du Puits, chemin du Bois, rue des Rosiers, rue Berlioz
rue Georges-Bizet, avenue du Parc, rue de Bretagne, rue de Provence, rue des Hirondelles
rue des Mésanges, rue du Clos, résidence Les Charmilles, rue de la Poste, rue Claude-Monet
rue Édouard-Manet, rue Olympe-de-Gouges, rue Simone-Veil, rue Louise-Michel, rue Ambroise-Paré
""")
